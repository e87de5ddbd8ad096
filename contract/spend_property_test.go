package contract

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// spendWorld is a random pool with what was billed and metered of it. All its
// edges are whole hours, so that a slow calculation can go hour by hour.
type spendWorld struct {
	c      Contract
	bills  []Bill
	days   []MeteredDay
	atHour int64
}

const worldHours = 120 * 24 // of the world, from 2026-04-01

func hourOf(h int64) int64 { return at(4, 1) + h*hourMs }

func randomWorld(r *rand.Rand) *spendWorld {
	from := r.Int64N(20 * 24)
	to := from + 24 + r.Int64N(worldHours-from-24)
	m := Commitment{
		ID: "p", Model: Discontinuous, Basis: CostBases[r.IntN(4)], Shortfall: TrueUp, FromMs: hourOf(from), EndMs: hourOf(to),
		CarryExcess: r.IntN(2) == 0, Total: 1 + Money(r.Int64N(5_000*micro)),
	}
	for at := from; at < to && r.IntN(4) > 0; {
		begin := at + r.Int64N(100)
		end := begin + 1 + r.Int64N(600)
		if end > to {
			break
		}
		amount := 1 + Money(r.Int64N(400*micro))
		if sum, _ := m.floors(); sum+amount <= m.Total {
			m.Floors = append(m.Floors, Floor{hourOf(begin), hourOf(end), amount})
		}
		at = end
	}
	m.CarryExcess = m.CarryExcess && len(m.Floors) > 0
	if r.IntN(2) == 0 {
		m.Eligible = Applicability{IncludeAny: true, Inclusions: []Rule{
			{Dimension: "ServiceName", Operator: In, Values: []string{"GPU"}},
			{Dimension: "ServiceName", Operator: In, Values: []string{"Market"}, Eligibility: Eligibility{true, 333_333, Whole}},
		}, Exclusions: []Rule{{Dimension: "ChargeDescription", Operator: Contains, Values: []string{"FEE"}}}}
	}
	w := &spendWorld{
		c:      Contract{ID: "c", Provider: "acme", Currency: "USD", Zone: time.UTC, Commitments: []Commitment{m}, Tranches: withCapacity(1).Tranches},
		atHour: r.Int64N(worldHours + 100),
	}
	for range r.IntN(6) {
		w.bills = append(w.bills, randomBill(r))
	}
	for d := r.Int64N(10); d < 120 && r.IntN(30) > 0; d++ {
		w.days = append(w.days, MeteredDay{
			FromMs: hourOf(24 * d), ToMs: hourOf(24*d + 24),
			Delivered: Money(r.Int64N(30 * micro)), Undelivered: Money(r.Int64N(9 * micro)), Overage: Money(r.Int64N(2 * micro)),
		})
	}
	return w
}

func randomBill(r *rand.Rand) Bill {
	from := r.Int64N(worldHours)
	b := Bill{Provider: "acme", Account: fmt.Sprint(r.IntN(3)), Currency: "USD", FromMs: hourOf(from), ToMs: hourOf(from + 24*30), CoversToMs: hourOf(from + r.Int64N(24*30+1))}
	if r.IntN(8) == 0 {
		b.Provider = "other"
	}
	for range r.IntN(40) {
		start := from + r.Int64N(24*30)
		x := Charge{FromMs: hourOf(start), ToMs: hourOf(start + r.Int64N(100)), Columns: Columns{
			"ChargeCategory":    []string{"Usage", "Usage", "Purchase", "Tax", "Credit"}[r.IntN(5)],
			"ChargeFrequency":   []string{"Usage-Based", "One-Time"}[r.IntN(2)],
			"ServiceName":       []string{"GPU", "Market", "Mail"}[r.IntN(3)],
			"ChargeDescription": []string{"hours", "a fee"}[r.IntN(2)],
		}}
		for i := range x.Costs.Amount {
			x.Costs.Known[i] = r.IntN(10) > 0
			if x.Costs.Known[i] && r.IntN(6) > 0 {
				x.Costs.Amount[i] = Money(r.Int64N(100*micro) - 10*micro)
			}
		}
		b.Charges = append(b.Charges, x)
	}
	return b
}

// piece is an amount over some hours, in the slow calculation.
type slowPiece struct {
	from, to int64 // hours
	amount   *big.Int
}

// slowSpend does the same sums by other means: big rationals, hour by hour.
type slowSpend struct {
	w       *spendWorld
	billed  []slowPiece
	metered []slowPiece
	known   []bool // by hour
	through int64
}

func slow(w *spendWorld) *slowSpend {
	s := &slowSpend{w: w, known: make([]bool, worldHours+200)}
	m := &w.c.Commitments[0]
	from, to := (m.FromMs-at(4, 1))/hourMs, (m.EndMs-at(4, 1))/hourMs
	covered := make([]bool, len(s.known))
	sums := map[[2]int64]*big.Int{}
	for _, b := range w.bills {
		start := (b.FromMs - at(4, 1)) / hourMs
		if b.Provider != "acme" || start >= w.atHour {
			continue
		}
		for h := start; h < (b.CoversToMs-at(4, 1))/hourMs; h++ {
			if h >= from && h < to && h < w.atHour {
				covered[h], s.known[h] = true, true
			}
		}
		for _, x := range b.Charges {
			s.count(m, x, sums)
		}
	}
	for span, amount := range sums {
		s.billed = append(s.billed, slowPiece{span[0], span[1], amount})
	}
	for _, d := range w.days {
		first := (d.FromMs - at(4, 1)) / hourMs
		whole := slowPiece{first, first + 24, big.NewInt(int64(d.Delivered + d.Overage))}
		for h := first; h < first+24; h++ {
			if h < from || h >= to || h >= w.atHour || covered[h] {
				continue
			}
			end := h
			for end < first+24 && end < to && end < w.atHour && !covered[end] {
				s.known[end] = true
				end++
			}
			s.metered = append(s.metered, slowPiece{h, end, new(big.Int).Sub(whole.until(end), whole.until(h))})
			h = end
		}
	}
	s.through = from
	for h := from; h < to; h++ {
		if s.known[h] {
			s.through = h + 1
		}
	}
	return s
}

// count adds a charge to the sums if it is eligible.
func (s *slowSpend) count(m *Commitment, x Charge, sums map[[2]int64]*big.Int) {
	i := map[CostBasis]int{ListCost: 0, ContractedCost: 1, BilledCost: 2, EffectiveCost: 3}[m.Basis]
	share := big.NewRat(1, 1)
	if len(m.Eligible.Inclusions) > 0 {
		if x.Columns["ServiceName"] == "Mail" || x.Columns["ChargeDescription"] == "a fee" {
			return
		}
		if x.Columns["ServiceName"] == "Market" {
			share = big.NewRat(333_333, 1_000_000)
		}
	}
	purchase := x.Columns["ChargeCategory"] == "Purchase"
	if x.Columns["ChargeCategory"] == "Tax" || !x.Costs.Known[i] {
		return
	}
	if purchase && i < 2 && x.Costs.Known[3] && x.Costs.Amount[3] == 0 && x.Costs.Known[2] && x.Costs.Amount[2] != 0 {
		return
	}
	span := [2]int64{(x.FromMs - at(4, 1)) / hourMs, (x.ToMs - at(4, 1)) / hourMs}
	if purchase && x.Columns["ChargeFrequency"] == "One-Time" {
		span[1] = span[0]
	}
	if sums[span] == nil {
		sums[span] = new(big.Int)
	}
	sums[span].Add(sums[span], halfEven(new(big.Rat).Mul(share, new(big.Rat).SetInt64(int64(x.Costs.Amount[i])))))
}

// halfEven rounds a rational.
func halfEven(v *big.Rat) *big.Int {
	two := big.NewRat(2, 1)
	floor := new(big.Int).Div(v.Num(), v.Denom())
	rest := new(big.Rat).Sub(v, new(big.Rat).SetInt(floor))
	if c := rest.Mul(rest, two).Cmp(big.NewRat(1, 1)); c > 0 || c == 0 && floor.Bit(0) == 1 {
		floor.Add(floor, big.NewInt(1))
	}
	return floor
}

func (p slowPiece) until(h int64) *big.Int {
	switch {
	case h <= p.from:
		return new(big.Int)
	case h >= p.to:
		return p.amount
	}
	v := new(big.Int).Mul(p.amount, big.NewInt(h-p.from))
	return v.Quo(v, big.NewInt(p.to-p.from))
}

func (s *slowSpend) drawn(list []slowPiece, from, to int64) *big.Int {
	sum := new(big.Int)
	to = min(to, s.through)
	if from >= to {
		return sum
	}
	for _, p := range list {
		sum.Add(sum, p.until(to))
		sum.Sub(sum, p.until(from))
	}
	return sum
}

func (s *slowSpend) both(from, to int64) *big.Int {
	return new(big.Int).Add(s.drawn(s.billed, from, to), s.drawn(s.metered, from, to))
}

// atRate is what a window's amount comes to over other hours.
func atRate(drawn *big.Int, hours, of int64) *big.Int {
	return halfEven(new(big.Rat).SetFrac(new(big.Int).Mul(drawn, big.NewInt(hours)), big.NewInt(of)))
}

// shortfall goes through the floors with an amount per window going on.
func (s *slowSpend) shortfall(window *big.Int, of int64) *big.Int {
	m := &s.w.c.Commitments[0]
	end := (m.EndMs - at(4, 1)) / hourMs
	missing, carried := new(big.Int), new(big.Int)
	for _, f := range m.Floors {
		a, b := (f.FromMs-at(4, 1))/hourMs, (f.ToMs-at(4, 1))/hourMs
		got := s.both(a, b)
		if ahead := b - max(a, s.through); ahead > 0 && of > 0 {
			got.Add(got, atRate(window, ahead, of))
		}
		over := got.Add(got, carried).Sub(got, big.NewInt(int64(f.Amount)))
		carried = new(big.Int)
		if over.Sign() < 0 {
			missing.Sub(missing, over)
		} else if m.CarryExcess {
			carried = over
		}
	}
	rest := big.NewInt(int64(m.Total))
	rest.Sub(rest, s.both((m.FromMs-at(4, 1))/hourMs, s.through))
	if of > 0 {
		rest.Sub(rest, atRate(window, end-s.through, of))
	}
	rest.Sub(rest, missing)
	if rest.Sign() > 0 {
		missing.Add(missing, rest)
	}
	return missing
}

func TestSpendAgainstASlowCalculation(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	told, projected := 0, 0
	for n := range 3_000 {
		w := randomWorld(r)
		if err := w.c.Validate(); err != nil {
			t.Fatalf("seed %d, world %d: %v", seed, n, err)
		}
		in := &SpendInput{Contracts: []Contract{w.c}, Bills: w.bills, Metered: [][]MeteredDay{w.days}, AtMs: hourOf(w.atHour)}
		rep, err := Spend(in)
		if err != nil {
			t.Fatalf("seed %d, world %d: %v", seed, n, err)
		}
		got, want := rep.Commitments[0], slow(w)
		fail := func(what string, got, want any) {
			t.Fatalf("seed %d, world %d: %s = %v, want %v", seed, n, what, got, want)
		}
		if got.Through.UnixMilli() != hourOf(want.through) {
			fail("through", got.Through, hourOf(want.through))
		}
		m := &w.c.Commitments[0]
		from, end := (m.FromMs-at(4, 1))/hourMs, (m.EndMs-at(4, 1))/hourMs
		if want.through == from {
			if got.Drawn != nil {
				fail("drawn", got.Drawn, "nothing")
			}
			continue
		}
		told++
		equal := func(what string, got Money, want *big.Int) {
			if want.Cmp(big.NewInt(int64(got))) != 0 {
				fail(what, int64(got), want)
			}
		}
		equal("billed", got.Billed, want.drawn(want.billed, from, end))
		equal("metered", got.Metered, want.drawn(want.metered, from, end))
		equal("drawn", got.Drawn.Amount, want.both(from, end))
		for _, p := range got.Forecast {
			hours := want.through - from
			if p.Name != "to date" {
				hours = 24 * p.Days
			}
			window := want.both(want.through-hours, want.through)
			equal(p.Name+" drawn", p.Drawn.Amount, window)
			equal(p.Name+" per day", p.PerDay.Amount, atRate(window, 24, hours))
			equal(p.Name+" at end", p.AtEnd.Amount, new(big.Int).Add(want.both(from, end), atRate(window, end-want.through, hours)))
			equal(p.Name+" shortfall", p.Shortfall.Amount, want.shortfall(window, hours))
			if p.Late != nil && (p.Late.Amount > p.Shortfall.Amount || p.Late.Amount < 0) {
				fail(p.Name+" late", p.Late, p.Shortfall)
			}
			projected++
		}
		if want.through == end {
			equal("shortfall", got.Shortfall.Amount, want.shortfall(nil, 0))
		}
		gaps := int64(0)
		for _, g := range got.Gaps {
			gaps += int64(g.To.Sub(g.From) / time.Hour)
		}
		for h := from; h < want.through; h++ {
			if !want.known[h] {
				gaps--
			}
		}
		if gaps != 0 {
			fail("gap hours", gaps, 0)
		}
		// The order of what came in changes nothing.
		shuffled := &SpendInput{Contracts: in.Contracts, Metered: in.Metered, AtMs: in.AtMs}
		for _, i := range r.Perm(len(w.bills)) {
			b := w.bills[i]
			b.Charges = nil
			for _, k := range r.Perm(len(w.bills[i].Charges)) {
				b.Charges = append(b.Charges, w.bills[i].Charges[k])
			}
			shuffled.Bills = append(shuffled.Bills, b)
		}
		again, err := Spend(shuffled)
		if err != nil {
			t.Fatal(err)
		}
		again.Bills, rep.Bills = nil, nil // alike but for those of one account and begin
		a, _ := json.Marshal(again)
		b, _ := json.Marshal(rep)
		if !reflect.DeepEqual(a, b) {
			fail("shuffled", string(a), string(b))
		}
	}
	if told < 1_000 || projected < 2_000 {
		t.Errorf("only %d worlds say something, with %d projections", told, projected)
	}
}

// Sums of parts are the whole, whatever the parts are.
func TestDrawingsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 2_000 {
		d := drawing{timeSpan{r.Int64N(1000), 1000 + r.Int64N(1000)}, Money(r.Int64() - r.Int64())}
		var sum, before Money
		for at := d.fromMs; at < d.toMs; {
			at = min(d.toMs, at+1+r.Int64N(300))
			upTo, err := d.until(at)
			if err != nil {
				t.Fatal(err)
			}
			sum, before = sum+upTo-before, upTo
		}
		if sum != d.amount {
			t.Fatalf("parts of %+v add up to %d", d, sum)
		}
	}
}

package contract

import (
	"strings"
	"testing"
	"time"
)

// at is a day of 2026-04 and what follows, in Unix milliseconds.
func at(month, day int) int64 {
	return time.Date(2026, time.Month(month), day, 0, 0, 0, 0, time.UTC).UnixMilli()
}

// monthBill is a bill of acme for a month of 2026, with charges over the
// whole of it.
func monthBill(month int, charges ...Charge) Bill {
	b := Bill{Provider: "acme", Account: "1", Currency: "USD", FromMs: at(month, 1), ToMs: at(month+1, 1), CoversToMs: at(month+1, 1), Charges: charges}
	for i := range b.Charges {
		if b.Charges[i].ToMs == 0 {
			b.Charges[i].FromMs, b.Charges[i].ToMs = b.FromMs, b.ToMs
		}
	}
	return b
}

// usage is a charge that costs the same on every basis.
func usageOf(units Money) Charge {
	m := units * micro
	return Charge{Columns: Columns{"ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based"}, Costs: Costs{[4]Money{m, m, m, m}, [4]bool{true, true, true, true}}}
}

func (x Charge) as(column, value string) Charge {
	columns := Columns{column: value}
	for k, v := range x.Columns {
		if k != column {
			columns[k] = v
		}
	}
	x.Columns = columns
	return x
}

// unusedFee is what the agreement of the specification bills at its end.
func unusedFee(units Money) Charge {
	return usageOf(units).as("ChargeDescription", "End of contract unused fee")
}

// noFees leaves the fees for unused amounts out of what is drawn.
var noFees = Applicability{Exclusions: []Rule{{Dimension: "ChargeDescription", Operator: Contains, Values: []string{"unused fee"}}}}

func spendOf(t *testing.T, c Contract, atMs int64, bills ...Bill) CommitmentSpend {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	r, err := Spend(&SpendInput{Contracts: []Contract{c}, Bills: bills, AtMs: atMs})
	if err != nil {
		t.Fatal(err)
	}
	return r.Commitments[0]
}

func wantMoney(t *testing.T, what string, got *Figure, want Money) {
	t.Helper()
	if got == nil || got.Amount != want*micro {
		t.Errorf("%s = %v, want %d.000000", what, got, want)
	}
	if got != nil && got.Basis == "" {
		t.Errorf("%s has no basis", what)
	}
}

// The spend agreement of the FOCUS specification, billed in arrears without
// minimums: 1,200 committed for a year, used 48, 120 and 60, then nothing.
func TestFocusSpendAgreementA1(t *testing.T) {
	c := pool()
	c.Commitments[0].Eligible = noFees
	bills := []Bill{monthBill(4, usageOf(48)), monthBill(5, usageOf(120)), monthBill(6, usageOf(60))}

	s := spendOf(t, c, at(7, 1), bills...)
	wantMoney(t, "drawn", s.Drawn, 228)
	wantMoney(t, "remaining", s.Remaining, 972)
	var toDate *Projection
	for i := range s.Forecast {
		if s.Forecast[i].Name == "to date" {
			toDate = &s.Forecast[i]
		}
	}
	// 228 in 91 of 365 days: 914.505495 at the end. (76 a month for 12 months
	// would be 912: months are not alike.)
	if toDate == nil || toDate.AtEnd.Amount != 914_505_495 || toDate.Shortfall.Amount != 285_494_505 {
		t.Errorf("to date = %+v", toDate)
	}
	if s.Status != SpendShort {
		t.Errorf("status = %s, want short", s.Status)
	}

	for m := 7; m <= 14; m++ {
		bills = append(bills, monthBill(m))
	}
	bills = append(bills, monthBill(15, unusedFee(972)))
	s = spendOf(t, c, at(16, 1), bills...)
	wantMoney(t, "drawn", s.Drawn, 228)
	wantMoney(t, "shortfall", s.Shortfall, 972)
	if s.Status != SpendEnded || len(s.Gaps) != 0 || s.Required != nil || s.Drawn.Basis != BasisBilled {
		t.Errorf("status %s, gaps %v, required %v, basis %q", s.Status, s.Gaps, s.Required, s.Drawn.Basis)
	}
}

// A bill of which the second half is missing says so once its month is over,
// unless another bill has the rest; what it lacks is a gap, and no zero.
func TestHalfABillIsPartial(t *testing.T) {
	half, next := monthBill(4, usageOf(48)), monthBill(5, usageOf(120))
	half.CoversToMs = at(4, 15)
	half.Charges[0].ToMs = at(4, 15)
	rest := half
	rest.CoversToMs, rest.Charges = half.ToMs, nil
	f := func(atMs int64, want []bool, bills ...Bill) CommitmentSpend {
		t.Helper()
		r, err := Spend(&SpendInput{Contracts: []Contract{pool()}, Bills: bills, AtMs: atMs})
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range r.Bills {
			if b.Partial != want[i] {
				t.Errorf("bill %s of %s to %s is partial: %t, want %t", b.Source, b.From, b.CoversTo, b.Partial, want[i])
			}
		}
		return r.Commitments[0]
	}
	s := f(at(6, 1), []bool{true, false}, half, next)
	if len(s.Gaps) != 1 || !s.Gaps[0].From.Equal(time.UnixMilli(at(4, 15))) || !s.Gaps[0].To.Equal(time.UnixMilli(at(5, 1))) {
		t.Errorf("gaps = %v", s.Gaps)
	}
	f(at(4, 20), []bool{false}, half)
	if s := f(at(6, 1), []bool{false, false, false}, half, rest, next); len(s.Gaps) != 0 {
		t.Errorf("gaps = %v", s.Gaps)
	}
}

// The same with a minimum of 60 a month: 12 are missing in the first and 60 in
// each of the last nine; the end of the contract brings the rest.
func TestFocusSpendAgreementA2(t *testing.T) {
	c := pool()
	m := &c.Commitments[0]
	m.Eligible = noFees
	for i := range 12 {
		m.Floors = append(m.Floors, Floor{at(4+i, 1), at(5+i, 1), 60 * micro})
	}
	bills := []Bill{monthBill(4, usageOf(48), unusedFee(12)), monthBill(5, usageOf(120)), monthBill(6, usageOf(60))}
	for i := 7; i <= 14; i++ {
		bills = append(bills, monthBill(i, unusedFee(60)))
	}
	bills = append(bills, monthBill(15, unusedFee(480)))
	s := spendOf(t, c, at(16, 1), bills...)
	wantMoney(t, "drawn", s.Drawn, 228)
	wantMoney(t, "shortfall", s.Shortfall, 972)
	var fees Money
	for _, f := range s.Floors {
		fees += f.Missing
	}
	if fees != (12+9*60)*micro || s.Floors[0].State != "missed" || s.Floors[1].State != "met" || s.Floors[11].State != "missed" {
		t.Errorf("floors miss %s: %+v", fees, s.Floors)
	}
	m.CarryExcess = true // 60 too much in May cover June; June's own 60 cover July
	s = spendOf(t, c, at(16, 1), bills...)
	if s.Floors[2].Carried != 60*micro || s.Floors[3].State != "met" || s.Floors[4].Missing != 60*micro {
		t.Errorf("floors = %+v", s.Floors)
	}
}

// The same prepaid: the purchase carries the contracted cost of all, and the
// usage carries it again.
func TestFocusSpendAgreementB1(t *testing.T) {
	c := pool()
	c.Commitments[0].Shortfall = Forfeit
	prepaid := usageOf(1_200).as("ChargeCategory", "Purchase").as("ChargeFrequency", "One-Time")
	prepaid.Costs.Amount[3] = 0
	covered := func(units Money) Charge {
		x := usageOf(units)
		x.Costs.Amount[2] = 0
		return x
	}
	bills := []Bill{monthBill(4, prepaid, covered(48)), monthBill(5, covered(120)), monthBill(6, covered(60))}
	wantMoney(t, "drawn, contracted", spendOf(t, c, at(7, 1), bills...).Drawn, 228)
	c.Commitments[0].Basis = EffectiveCost
	wantMoney(t, "drawn, effective", spendOf(t, c, at(7, 1), bills...).Drawn, 228)
	c.Commitments[0].Basis = BilledCost
	wantMoney(t, "drawn, billed", spendOf(t, c, at(7, 1), bills...).Drawn, 1_200)
}

// The four usage scenarios of the FOCUS specification for an hour of a
// commitment of 1 USD: all used, nothing, three quarters, and all with 0.50
// beyond it.
func TestFocusCommitmentUse(t *testing.T) {
	f := func(used, left, over Money, charges ...Charge) {
		t.Helper()
		c := pool()
		c.Commitments[0] = Commitment{
			ID: "sp", CloudID: "my-commitment-discount-id", Model: Continuous, Basis: EffectiveCost, Shortfall: Forfeit,
			FromMs: at(4, 1), EndMs: at(16, 1), PerInterval: micro, Interval: Hourly,
		}
		for i := range charges {
			charges[i].FromMs, charges[i].ToMs = at(4, 1), at(4, 1)+hourMs
		}
		s := spendOf(t, c, at(5, 1), monthBill(4, charges...))
		if s.Use == nil || s.Use.Used.Amount != used || s.Use.Unused.Amount != left || s.Use.Overage.Amount != over {
			t.Errorf("use = %+v, want %d used, %d unused, %d over", s.Use, used, left, over)
		}
	}
	row := func(m Money, status string) Charge {
		x := usageOf(0).as("CommitmentDiscountId", "My-Commitment-Discount-Id").as("CommitmentDiscountStatus", status)
		x.Costs.Amount[3] = m
		return x
	}
	standard := usageOf(0).as("PricingCategory", "Standard")
	standard.Costs.Amount[2], standard.Costs.Amount[3] = micro/2, micro/2
	f(1_000_000, 0, 0, row(1_000_000, "Used"))
	f(0, 1_000_000, 0, row(1_000_000, "Unused"))
	f(750_000, 250_000, 0, row(750_000, "Used"), row(250_000, "Unused"))
	f(1_000_000, 0, 500_000, row(1_000_000, "Used"), standard)
}

func TestContinuousByInterval(t *testing.T) {
	c := pool()
	c.Commitments[0] = Commitment{
		ID: "floor", Model: Continuous, Basis: BilledCost, Shortfall: TrueUp,
		FromMs: at(4, 1), EndMs: at(16, 1), PerInterval: 100 * micro, Interval: Monthly,
	}
	s := spendOf(t, c, at(7, 10), monthBill(4, usageOf(75)), monthBill(5, usageOf(130)), monthBill(6, usageOf(100)))
	u := s.Use
	if u == nil || u.Intervals != 3 || u.Used.Amount != 275*micro || u.Unused.Amount != 25*micro || u.Overage.Amount != 30*micro {
		t.Errorf("use = %+v", u)
	}
	if s.Status != SpendRunning || s.Committed.Amount != 1_200*micro {
		t.Errorf("status %s, committed %s", s.Status, s.Committed.Amount)
	}
	c.Commitments[0].Interval = Hourly
	c.Commitments[0].PerInterval = micro
	if s := spendOf(t, c, at(7, 10), monthBill(4, usageOf(75))); s.Use != nil {
		t.Errorf("hourly use from daily charges = %+v, want none", s.Use)
	}
}

func TestSpendCountsOnlyWhatConcernsIt(t *testing.T) {
	f := func(want Money, change func(*Commitment), charges ...Charge) {
		t.Helper()
		c := pool()
		change(&c.Commitments[0])
		wantMoney(t, "drawn", spendOf(t, c, at(5, 1), monthBill(4, charges...)).Drawn, want)
	}
	none := func(*Commitment) {}
	f(10, none, usageOf(10), usageOf(7).as("ChargeCategory", "Tax"))
	f(17, func(m *Commitment) {
		m.Eligible.Inclusions = []Rule{{Dimension: "ChargeCategory", Operator: In, Values: []string{"usage", "tax"}}}
	}, usageOf(10), usageOf(7).as("ChargeCategory", "Tax"))
	f(6, none, usageOf(10), usageOf(-4).as("ChargeCategory", "Credit"))
	marketplace := func(m *Commitment) {
		m.Eligible = Applicability{IncludeAny: true, Inclusions: []Rule{
			{Dimension: "InvoiceIssuerName", Operator: NotContains, Values: []string{"marketplace"}},
			{Dimension: "InvoiceIssuerName", Operator: Contains, Values: []string{"marketplace"}, Eligibility: Eligibility{true, 250_000, 250_000}},
		}}
	}
	f(11, marketplace, usageOf(10), usageOf(4).as("InvoiceIssuerName", "Acme Marketplace"))

	applied := usageOf(10)
	applied.Applied = []Applied{{Commitment: "SPEND", Cost: 3 * micro}, {Commitment: "other", Cost: 7 * micro}}
	f(3, none, applied, usageOf(99)) // the cloud applies it: its word holds for all of the bill
	own := usageOf(5)
	own.Applied = []Applied{{Commitment: "spend", Cost: 5 * micro, Own: true}}
	f(3, none, applied, own)
}

func TestSpendSaysWhatItLeavesOut(t *testing.T) {
	c := pool()
	noCost := usageOf(10)
	noCost.Costs.Known[1] = false
	euros := monthBill(4, usageOf(5))
	euros.Currency = "EUR"
	others := monthBill(4, usageOf(7))
	others.Provider = "other"
	s := spendOf(t, c, at(5, 1), monthBill(4, usageOf(1), noCost), euros, others)
	wantMoney(t, "drawn", s.Drawn, 1)
	if len(s.Left) != 2 || s.Left[0].Charges != 1 || !strings.Contains(s.Left[0].Reason, "USD") || s.Left[1].Charges != 1 || !strings.Contains(s.Left[1].Reason, "contracted") {
		t.Errorf("left out = %+v", s.Left)
	}
}

func TestSpendMakesNoZeroOfNothing(t *testing.T) {
	s := spendOf(t, pool(), at(5, 1))
	if s.Drawn != nil || s.Remaining != nil || s.Shortfall != nil || len(s.Forecast) != 0 || s.Status != SpendUnknown {
		t.Errorf("spend = %+v", s)
	}
	if s := spendOf(t, pool(), at(3, 1), monthBill(4, usageOf(1))); s.Status != SpendFuture || s.Drawn != nil {
		t.Errorf("before the term: %+v", s)
	}
	s = spendOf(t, pool(), at(7, 1), monthBill(4, usageOf(1)), monthBill(6, usageOf(2)))
	if len(s.Gaps) != 1 || !s.Gaps[0].From.Equal(time.UnixMilli(at(5, 1))) || !s.Gaps[0].To.Equal(time.UnixMilli(at(6, 1))) {
		t.Errorf("gaps = %v", s.Gaps)
	}
	for _, p := range s.Forecast {
		if p.Name != "7d" && p.Name != "28d" {
			t.Errorf("%s has a rate over a gap", p.Name)
		}
	}
}

// A contract with capacity: 100 GPUs at 1.00 for 2026-04 and on, 2,400 a day.
func withCapacity(total Money) Contract {
	c := pool()
	c.Commitments[0].Total = total * micro
	c.Tranches = []Tranche{{
		ID: "t", Model: "H100", Steps: []Step{{at(4, 1), 100}}, EndMs: at(16, 1),
		Rates: []Rate{{FromMs: at(4, 1), ToMs: at(16, 1), PerGPUHour: micro}},
	}}
	return c
}

// metered is n days from 2026-04-01 on which so many of 100 GPUs stood.
func meteredDays(n int, gpus Money) []MeteredDay {
	var out []MeteredDay
	for i := range n {
		from := at(4, 1+i)
		out = append(out, MeteredDay{FromMs: from, ToMs: from + dayMs, Delivered: 24 * gpus * micro, Undelivered: 24 * (100 - gpus) * micro})
	}
	return out
}

func TestSpendIsMeteredWhereNothingIsBilled(t *testing.T) {
	c := withCapacity(876_000) // 100 GPUs for the whole year
	in := &SpendInput{Contracts: []Contract{c}, Metered: [][]MeteredDay{meteredDays(60, 50)}, AtMs: at(5, 31)}
	r, err := Spend(in)
	if err != nil {
		t.Fatal(err)
	}
	s := r.Commitments[0]
	wantMoney(t, "drawn", s.Drawn, 60*1_200)
	if s.Drawn.Basis != BasisMetered || s.Metered != s.Drawn.Amount || s.Billed != 0 {
		t.Errorf("basis %q, metered %s, billed %s", s.Drawn.Basis, s.Metered, s.Billed)
	}
	// 50 GPUs go on: 438,000 at the end; 72,000 of what is missing came late.
	p := recent(s.Forecast)
	wantMoney(t, "at end", &p.AtEnd, 438_000)
	wantMoney(t, "shortfall", s.Shortfall, 438_000)
	wantMoney(t, "late", s.Late, 72_000)
	// All contracted capacity draws 732,000 of the 804,000 that are left.
	wantMoney(t, "scheduled", &s.Scheduled.AtEnd, 804_000)
	if s.Status != SpendInfeasible || s.Infeasible == nil || s.Infeasible.Date != "2026-05-31" {
		t.Errorf("status %s, infeasible %+v", s.Status, s.Infeasible)
	}

	in.Bills = []Bill{monthBill(4, usageOf(9_000))}
	if r, err = Spend(in); err != nil {
		t.Fatal(err)
	}
	s = r.Commitments[0]
	if s.Billed != 9_000*micro || s.Metered != 30*1_200*micro || s.Drawn.Basis != BasisBoth {
		t.Errorf("billed %s, metered %s, basis %q", s.Billed, s.Metered, s.Drawn.Basis)
	}
}

func TestInfeasibleOnTheDayThatCapacityFallsShort(t *testing.T) {
	// 1,200 a day are drawn and 2,400 could be. Left after 60 days: 528,000,
	// with 305 days to go. After n more days 528,000 − 1,200 n are left and
	// 2,400 × (305 − n) can be drawn: equal at n = 170; too late the day after.
	c := withCapacity(600_000)
	r, err := Spend(&SpendInput{Contracts: []Contract{c}, Metered: [][]MeteredDay{meteredDays(60, 50)}, AtMs: at(5, 31)})
	if err != nil {
		t.Fatal(err)
	}
	s := r.Commitments[0]
	want := time.UnixMilli(at(5, 31)).UTC().AddDate(0, 0, 171).Format(time.DateOnly)
	if s.Status != SpendShort || s.Infeasible == nil || s.Infeasible.Date != want {
		t.Errorf("status %s, infeasible %+v, want %s", s.Status, s.Infeasible, want)
	}
	c.Commitments[0].OtherPerDay = 100_000 * micro
	if r, err = Spend(&SpendInput{Contracts: []Contract{c}, Metered: [][]MeteredDay{meteredDays(60, 50)}, AtMs: at(5, 31)}); err != nil {
		t.Fatal(err)
	}
	if i := r.Commitments[0].Infeasible; i == nil || i.Date <= want {
		t.Errorf("with room for other services: %+v, want later than %s", i, want)
	}
	c.Tranches[0].Rates = nil // without a price nothing can be told, and what is left out is said
	c.Commitments[0].OtherPerDay = 0
	if r, err = Spend(&SpendInput{Contracts: []Contract{c}, Metered: [][]MeteredDay{meteredDays(60, 50)}, AtMs: at(5, 31)}); err != nil || r.Commitments[0].Infeasible != nil || r.Commitments[0].Scheduled != nil || len(r.Commitments[0].Left) != 1 {
		t.Errorf("without a price: %+v, %v", r.Commitments[0].Infeasible, err)
	}
}

func TestStatusFollowsTheRequiredRate(t *testing.T) {
	f := func(total Money, want SpendStatus) {
		t.Helper()
		c := pool()
		c.Commitments[0].Total = total * micro
		bill := monthBill(4)
		for i := range 30 {
			x := usageOf(100)
			x.FromMs, x.ToMs = at(4, 1+i), at(4, 2+i)
			bill.Charges = append(bill.Charges, x)
		}
		if s := spendOf(t, c, at(5, 1), bill); s.Status != want {
			t.Errorf("of %d: %s, want %s (required %v)", total, s.Status, want, s.Required)
		}
	}
	f(3_000, SpendMet)
	f(3_001, SpendOnTrack)
	f(36_500, SpendOnTrack) // 100 a day
	f(36_501, SpendAtRisk)
	f(3_000+335*125, SpendAtRisk)
	f(3_000+335*125+1, SpendShort)
}

// TestStatusGoesByFourWeeks draws twice as much in the last week as before.
func TestStatusGoesByFourWeeks(t *testing.T) {
	c := pool()
	c.Commitments[0].Total = (3_700 + 335*150) * micro
	bill := monthBill(4)
	for i := range 30 {
		x := usageOf(100)
		if i >= 23 {
			x = usageOf(200)
		}
		x.FromMs, x.ToMs = at(4, 1+i), at(4, 2+i)
		bill.Charges = append(bill.Charges, x)
	}
	s := spendOf(t, c, at(5, 1), bill)
	wantMoney(t, "shortfall", s.Shortfall, 335*25) // of 125 a day
	if s.Status != SpendAtRisk || s.Shortfall.Basis != "at the rate of 28d" {
		t.Errorf("%s, %s; want at risk at the rate of 28d", s.Status, s.Shortfall.Basis)
	}
}

// TestMissedFloorIsShortWhateverTheRate draws enough for the total, and was late
// for a floor.
func TestMissedFloorIsShortWhateverTheRate(t *testing.T) {
	c := pool()
	c.Commitments[0].Total = 20_000 * micro
	c.Commitments[0].Floors = []Floor{{FromMs: at(4, 1), ToMs: at(5, 1), Amount: 3_500 * micro}}
	bill := monthBill(4)
	for i := range 30 {
		x := usageOf(100)
		x.FromMs, x.ToMs = at(4, 1+i), at(4, 2+i)
		bill.Charges = append(bill.Charges, x)
	}
	s := spendOf(t, c, at(5, 1), bill)
	wantMoney(t, "shortfall", s.Shortfall, 500)
	if s.Status != SpendShort {
		t.Errorf("status = %s, want short", s.Status)
	}
}

func TestStatedCommitmentIsComparedWithTheFile(t *testing.T) {
	c := pool()
	r, err := Spend(&SpendInput{Contracts: []Contract{c}, AtMs: at(5, 1), Stated: []StatedCommitment{
		{ID: "Spend", Provider: "acme", Currency: "USD", Cost: 1_000 * micro, HasCost: true, FromMs: at(4, 1), ToMs: at(16, 1), Model: "Discontinuous"},
		{ID: "spend", Provider: "another"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, s := range r.Commitments[0].Stated {
		got[s.Field] = s.Agrees
	}
	if len(got) != 4 || got["committed"] || !got["from"] || !got["to"] || !got["model"] {
		t.Errorf("stated = %+v", r.Commitments[0].Stated)
	}
}

func TestExpiriesComeInOrder(t *testing.T) {
	c := withCapacity(600_000)
	c.Tranches[0].EndMs = at(12, 1)
	c.Commitments[0].Floors = []Floor{{at(4, 1), at(10, 1), 1_000 * micro}, {at(10, 1), at(16, 1), 2_000 * micro}}
	r, err := Spend(&SpendInput{Contracts: []Contract{c}, Metered: [][]MeteredDay{meteredDays(30, 1)}, AtMs: at(5, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range r.Expiries {
		line := e.Kind + " " + e.At.Format(time.DateOnly)
		if e.AtStake != nil {
			line += " " + e.AtStake.Amount.Figure()
		}
		got = append(got, line)
	}
	want := "floor 2026-10-01 280.00, tranche 2026-12-01, commitment 2027-04-01 599,280.00, floor 2027-04-01 2,000.00"
	if strings.Join(got, ", ") != want {
		t.Errorf("expiries = %s\nwant       %s", strings.Join(got, ", "), want)
	}
	if r.Expiries[0].Days != 153 {
		t.Errorf("days = %d, want 153", r.Expiries[0].Days)
	}
}

// A report of the past knows nothing of bills that began later.
func TestSpendOfThePastLeavesOutWhatCameLater(t *testing.T) {
	left := usageOf(5).as("CommitmentDiscountId", "spend").as("CommitmentDiscountStatus", "Unused")
	noCost := usageOf(1)
	noCost.Costs.Known[1] = false
	c := pool()
	r, err := Spend(&SpendInput{Contracts: []Contract{c}, Bills: []Bill{monthBill(4, usageOf(1), left), monthBill(5, left, noCost)}, AtMs: at(5, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := r.Commitments[0]
	if s.BilledUnused != 5*micro || len(s.Left) != 0 || len(r.Bills) != 1 || !r.Bills[0].Concerned {
		t.Errorf("unused %s, left out %v, bills %+v", s.BilledUnused, s.Left, r.Bills)
	}
}

func TestUseIsOfTheTerm(t *testing.T) {
	c := pool()
	c.Commitments[0] = Commitment{
		ID: "sp", Model: Continuous, Basis: EffectiveCost, Shortfall: Forfeit,
		FromMs: at(4, 10), EndMs: at(4, 20), PerInterval: micro, Interval: Hourly,
	}
	on := func(day int) Charge {
		x := usageOf(1).as("CommitmentDiscountId", "sp").as("CommitmentDiscountStatus", "Used")
		x.FromMs, x.ToMs = at(4, day), at(4, day+1)
		return x
	}
	s := spendOf(t, c, at(5, 1), monthBill(4, on(9), on(10), on(19), on(20)))
	if s.Use == nil || s.Use.Used.Amount != 2*micro {
		t.Errorf("use = %+v, want 2.000000 of two days", s.Use)
	}
}

// An agreement without capacity of its own is drawn down by what other
// contracts with the same cloud, in the same currency, have.
func TestCapacityOfTheSameCloudDrawsDown(t *testing.T) {
	edp := pool()
	edp.ID = "edp"
	f := func(want Money, change func(*Contract)) {
		t.Helper()
		capacity := withCapacity(1)
		capacity.Commitments = nil
		change(&capacity)
		r, err := Spend(&SpendInput{Contracts: []Contract{edp, capacity}, Metered: [][]MeteredDay{nil, meteredDays(10, 1)}, AtMs: at(4, 11)})
		if err != nil {
			t.Fatal(err)
		}
		got := r.Commitments[0].Drawn
		if want == 0 && got == nil {
			return
		}
		wantMoney(t, "drawn", got, want)
	}
	f(240, func(*Contract) {})
	f(0, func(c *Contract) { c.Provider = "other" })
	f(0, func(c *Contract) { c.Currency = "EUR" })
}

func TestMeteredDaysShareOutOverage(t *testing.T) {
	c := pool()
	s := Statement{From: day0, To: day0.AddDate(0, 0, 3), Total: Line{
		OverageMs: 6, Cost: Cost{Overage: 100},
		Days: []Day{{OverageMs: 1, Cost: Amounts{Undelivered: 3, Busy: 4, Idle: 5}}, {}, {OverageMs: 5}},
	}}
	got, err := c.MeteredDays(&s)
	want := []MeteredDay{
		{at(4, 1), at(4, 2), 9, 3, 16}, {at(4, 2), at(4, 3), 0, 0, 0}, {at(4, 3), at(4, 4), 0, 0, 84},
	}
	if err != nil || len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("MeteredDays = %+v, %v; want %+v", got, err, want)
	}
	s.Total.Days = s.Total.Days[:2]
	if got, err := c.MeteredDays(&s); err == nil {
		t.Errorf("days that are missing: %+v", got)
	}
}

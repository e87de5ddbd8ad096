package contract

import (
	"fmt"
	"slices"
	"time"
)

// SpendInput is what a spend report is made of.
type SpendInput struct {
	Contracts []Contract
	Bills     []Bill
	// Metered are the metered days of each contract, by time, as far as the
	// store knows anything; nil is nothing metered.
	Metered [][]MeteredDay
	// Stood is what stood at AtMs, by contract and tranche, as StoodAt counts it:
	// accepted models that stand go on at their price. Nil is all as bought.
	Stood [][]Stood
	// Stated is what clouds say of their commitments; see Bill for Source.
	Stated []StatedCommitment
	// AtMs is the moment that the report is of: nothing later is in it.
	AtMs int64
}

// Spend makes the report of all spend commitments. It is a pure function: the
// order of the bills and of their charges changes nothing.
func Spend(in *SpendInput) (SpendReport, error) {
	out := SpendReport{Schema: SpendSchema, AsOf: utcTime(in.AtMs), Commitments: []CommitmentSpend{}}
	bills := slices.DeleteFunc(slices.Clone(in.Bills), func(b Bill) bool { return b.FromMs >= in.AtMs })
	concerned := make([]bool, len(bills))
	for i := range in.Contracts {
		c := &in.Contracts[i]
		for k := range c.Commitments {
			a := account{in: in, c: c, m: &c.Commitments[k], contract: i, bills: bills}
			if err := a.read(); err != nil {
				return SpendReport{}, fmt.Errorf("contract %q, commitment %q: %w", c.ID, a.m.ID, err)
			}
			spend, err := a.spend()
			if err != nil {
				return SpendReport{}, fmt.Errorf("contract %q, commitment %q: %w", c.ID, a.m.ID, err)
			}
			out.Commitments = append(out.Commitments, spend)
			for b, yes := range a.billed.concerns {
				concerned[b] = concerned[b] || yes
			}
		}
	}
	out.Expiries = expiries(in, out.Commitments)
	out.Bills = billStates(bills, concerned, in.AtMs)
	return out, nil
}

// account is one commitment while it is added up.
type account struct {
	in       *SpendInput
	c        *Contract
	m        *Commitment
	contract int
	bills    []Bill
	billed   billed
	metered  drawings
	known    []timeSpan // what bills or metering cover, up to AtMs
	// capacity are the contracts whose tranches draw the commitment down.
	capacity []*Contract
	stood    [][]Stood // of capacity, by tranche
	// undelivered is what capacity that did not come would have drawn.
	undelivered drawings
	isMetered   bool
	throughMs   int64
}

func (a *account) term() timeSpan { return timeSpan{a.m.FromMs, a.m.EndMs} }

// read gathers what is known of the commitment.
func (a *account) read() error {
	var err error
	if a.billed, err = readBills(a.c, a.m, a.bills); err != nil {
		return err
	}
	past := a.term().clip(timeSpan{a.m.FromMs, a.in.AtMs})
	for i := range a.billed.covers {
		a.known = append(a.known, a.billed.covers[i].clip(past))
	}
	a.known = union(a.known)
	covered := a.known
	for _, i := range a.sources() {
		a.capacity = append(a.capacity, &a.in.Contracts[i])
		if i < len(a.in.Stood) {
			a.stood = append(a.stood, a.in.Stood[i])
		} else {
			a.stood = append(a.stood, make([]Stood, len(a.in.Contracts[i].Tranches)))
		}
		if i < len(a.in.Metered) {
			if err := a.readMetered(a.in.Metered[i], past, covered); err != nil {
				return err
			}
		}
	}
	a.throughMs = a.m.FromMs
	if n := len(a.known); n > 0 {
		a.throughMs = a.known[n-1].toMs
	}
	return nil
}

func (a *account) readMetered(days []MeteredDay, past timeSpan, covered []timeSpan) error {
	drawn, spans, err := meter(days, past, covered)
	if err != nil {
		return err
	}
	a.metered = append(a.metered, drawn...)
	a.known = union(append(a.known, spans...))
	a.isMetered = a.isMetered || len(days) > 0
	for _, d := range days {
		a.undelivered = append(a.undelivered, drawing{timeSpan{d.FromMs, d.ToMs}, d.Undelivered})
	}
	return nil
}

// sources are the contracts whose capacity draws the commitment down: its own
// where it has tranches, else those of the same provider and currency.
func (a *account) sources() []int {
	if len(a.c.Tranches) > 0 {
		return []int{a.contract}
	}
	var out []int
	for i := range a.in.Contracts {
		c := &a.in.Contracts[i]
		if len(c.Tranches) > 0 && c.Provider == a.c.Provider && c.Currency == a.c.Currency {
			out = append(out, i)
		}
	}
	return out
}

// drawn is what was drawn in a span, by bills and by metering.
func (a *account) drawn(s timeSpan) (byBill, byMeter, sum Money, err error) {
	s = s.clip(timeSpan{a.m.FromMs, a.throughMs})
	if byBill, err = a.billed.drawings.between(s); err != nil {
		return 0, 0, 0, err
	}
	if byMeter, err = a.metered.between(s); err != nil {
		return 0, 0, 0, err
	}
	sum, err = plus(byBill, byMeter)
	return byBill, byMeter, sum, err
}

// basis says where drawn amounts come from.
func (a *account) basis() string {
	switch covered := len(a.billed.covers) > 0; {
	case covered && len(a.metered) > 0:
		return BasisBoth
	case covered:
		return BasisBilled
	case len(a.metered) > 0:
		return BasisMetered
	}
	return BasisNone
}

// spend states the commitment.
func (a *account) spend() (CommitmentSpend, error) {
	m := a.m
	out := CommitmentSpend{
		Contract: a.c.ID, Commitment: m.ID, Title: m.Title, Provider: a.c.Provider, Currency: a.c.Currency,
		Zone: a.c.Zone.String(), Model: m.Model, CostBasis: m.Basis, Rule: m.Shortfall,
		From: a.c.local(m.FromMs), To: a.c.local(m.EndMs), Through: a.c.local(a.throughMs),
		ElapsedMs: a.throughMs - m.FromMs, TermMs: m.EndMs - m.FromMs,
		Gaps: a.gaps(), Left: a.billed.left, Forecast: []Projection{}, BilledUnused: a.billed.unused,
	}
	if len(a.metered) > 0 && !a.priced(timeSpan{m.FromMs, a.throughMs}) {
		out.Left = append(out.Left, LeftOut{Reason: "metered time without a rate in the contract file draws nothing"})
	}
	if out.Left == nil {
		out.Left = []LeftOut{}
	}
	committed, err := a.c.Committed(m)
	if err != nil {
		return out, err
	}
	out.Committed = Figure{committed, BasisContract}
	out.Stated = stated(a.c, m, committed, a.in.Stated)
	if m.Model == Continuous {
		return out, a.use(&out)
	}
	return out, a.pool(&out)
}

// gaps are the spans before Through of which nothing is known.
func (a *account) gaps() []Gap {
	out := []Gap{}
	for _, s := range (timeSpan{a.m.FromMs, a.throughMs}).without(a.known) {
		out = append(out, Gap{a.c.local(s.fromMs), a.c.local(s.toMs)})
	}
	return out
}

// pool states what is said of a pool alone.
func (a *account) pool(out *CommitmentSpend) error {
	byBill, byMeter, drawn, err := a.drawn(a.term())
	if err != nil {
		return err
	}
	if a.throughMs == a.m.FromMs { // nothing is known: no zero is made of it
		out.Status = SpendUnknown
		if a.in.AtMs <= a.m.FromMs {
			out.Status = SpendFuture
		}
		out.Floors, err = a.floors()
		return err
	}
	out.Billed, out.Metered = byBill, byMeter
	out.Drawn = &Figure{drawn, a.basis()}
	rest, err := plus(out.Committed.Amount, -drawn)
	if err != nil {
		return err
	}
	out.Remaining = &Figure{max(0, rest), "committed − drawn"}
	if out.Floors, err = a.floors(); err != nil {
		return err
	}
	return a.forecast(out, drawn)
}

// billStates lists the bills in order of provider, account and time.
func billStates(bills []Bill, concerned []bool, atMs int64) []BillState {
	out := []BillState{}
	covers := map[BillState]time.Time{} // by what bills of one period have in common
	for i := range bills {
		b := &bills[i]
		out = append(out, BillState{
			Provider: b.Provider, Account: b.Account, Currency: b.Currency,
			From: utcTime(b.FromMs), To: utcTime(b.ToMs), CoversTo: utcTime(b.CoversToMs),
			Charges: len(b.Charges), Source: b.Source, Concerned: concerned[i],
		})
	}
	for i := range out {
		if key := out[i].period(); covers[key].Before(out[i].CoversTo) {
			covers[key] = out[i].CoversTo
		}
	}
	for i := range out {
		b := &out[i]
		b.Partial = covers[b.period()].Before(b.To) && b.To.UnixMilli() <= atMs
	}
	slices.SortFunc(out, BillState.compare)
	return out
}

// period is what bills of one account for one period have in common.
func (b BillState) period() BillState {
	return BillState{Provider: b.Provider, Account: b.Account, Currency: b.Currency, From: b.From, To: b.To}
}

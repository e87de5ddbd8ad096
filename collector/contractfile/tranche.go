package contractfile

import (
	"strconv"

	"github.com/gpumeter/gpumeter/contract"
)

// trancheBuild makes one tranche out of its entry.
type trancheBuild struct {
	build
	entry *trancheEntry
}

func (b trancheBuild) tranche() (contract.Tranche, error) {
	var t contract.Tranche
	for _, step := range []func(*contract.Tranche) error{b.names, b.accepts, b.delivery, b.where, b.term, b.steps, b.prices, b.months} {
		if err := step(&t); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (b trancheBuild) names(t *contract.Tranche) error {
	e := b.entry
	err := b.allTexts(named{"id", e.ID, &t.ID}, named{"model", e.Model, &t.Model}, named{"sla", e.SLA, &t.SLA})
	if err != nil {
		return err
	}
	if t.Prepaid, err = b.yes("prepaid", e.Prepaid); err != nil {
		return err
	}
	t.Priority, err = b.whole("priority", e.Priority)
	return err
}

func (b trancheBuild) where(t *contract.Tranche) (err error) {
	t.Scope, err = b.scope(&b.entry.Scope)
	return err
}

// accepts reads the substitutes; without a factor they cost what was bought.
func (b trancheBuild) accepts(t *contract.Tranche) (err error) {
	t.Accepts, err = each(b.entry.Accepts, func(e *substituteEntry) (contract.Substitute, error) {
		s := contract.Substitute{Factor: contract.Whole}
		err := b.text("model", e.Model, &s.Model)
		if err == nil && e.Factor.Node != nil {
			s.Factor, err = b.millionths("price_factor", e.Factor)
		}
		return s, err
	})
	return err
}

func (b trancheBuild) delivery(t *contract.Tranche) error {
	e, d := b.entry, &t.Delivery
	var unit string
	err := b.text("unit_of_delivery", e.Unit, &unit)
	if err != nil {
		return err
	}
	d.Unit = contract.DeliveryUnit(unit)
	if d.GPUsPerUnit, err = b.whole("gpus_per_unit", e.PerUnit); err != nil {
		return err
	}
	grace, err := b.span("late_grace", e.Grace)
	d.GraceMs = grace.Milliseconds()
	return err
}

func (b trancheBuild) term(t *contract.Tranche) (err error) {
	t.EndMs, err = b.moment("end", b.entry.End)
	return err
}

// steps reads either start and gpus, or the ramp.
func (b trancheBuild) steps(t *contract.Tranche) error {
	e := b.entry
	switch {
	case e.GPUs.Node != nil && e.Ramp != nil:
		return b.wrong(e.GPUs.Line, "a tranche has either gpus or a ramp, not both")
	case e.GPUs.Node == nil && len(e.Ramp) == 0:
		return b.wrong(e.Line, "a tranche lacks the key \"gpus\" (or a \"ramp\" of several steps)")
	case e.GPUs.Node != nil && e.Start.Node == nil:
		return b.wrong(e.Line, "a tranche with gpus lacks the key \"start\"")
	case e.GPUs.Node != nil:
		s, err := b.step("start", e.Start, e.GPUs)
		t.Steps = []contract.Step{s}
		return err
	}
	for _, r := range e.Ramp {
		s, err := b.step("from", r.From, r.GPUs)
		if err != nil {
			return err
		}
		t.Steps = append(t.Steps, s)
	}
	if e.Start.Node == nil {
		return nil
	}
	start, err := b.moment("start", e.Start)
	if err == nil && start != t.Steps[0].FromMs {
		err = b.wrong(e.Start.Line, "start %s is not the first step of the ramp, which is from %s", e.Start.Value, e.Ramp[0].From.Value)
	}
	return err
}

func (b trancheBuild) step(key string, from, gpus scalar) (contract.Step, error) {
	n, err := b.whole("gpus", gpus)
	if err != nil {
		return contract.Step{}, err
	}
	ms, err := b.moment(key, from)
	return contract.Step{FromMs: ms, GPUs: n}, err
}

// prices reads either the one price of the tranche, or its rates.
func (b trancheBuild) prices(t *contract.Tranche) error {
	e := b.entry
	switch {
	case e.PerHour.Node != nil && e.Rates != nil:
		return b.wrong(e.PerHour.Line, "a tranche has either per_gpu_hour or rates, not both")
	case e.PerHour.Node == nil && e.Overage.Node != nil:
		return b.wrong(e.Overage.Line, "overage_per_gpu_hour stands beside per_gpu_hour, in the tranche or in each of its rates")
	case e.PerHour.Node == nil && e.List.Node != nil:
		return b.wrong(e.List.Line, "list_per_gpu_hour stands beside per_gpu_hour, in the tranche or in each of its rates")
	case e.PerHour.Node != nil:
		r, err := b.rate(t.StartMs(), t.EndMs, &rateEntry{PerHour: e.PerHour, Overage: e.Overage, List: e.List})
		t.Rates = []contract.Rate{r}
		return err
	}
	for i := range e.Rates {
		r, err := b.rateOf(t, i)
		if err != nil {
			return err
		}
		t.Rates = append(t.Rates, r)
	}
	return nil
}

// months reads how many hours are billed in a month.
func (b trancheBuild) months(t *contract.Tranche) error {
	s := b.entry.Hours
	if s.Node == nil || s.Value == "calendar" {
		return nil
	}
	if s.Value != strconv.Itoa(contract.BilledHours) {
		return b.wrong(s.Line, "hours_per_month %q is neither calendar nor %d", clip(s.Value), contract.BilledHours)
	}
	t.Rates = contract.ByMonth(t.Rates, b.zone)
	return nil
}

// rateOf reads one rate. Without from it begins where the one before it ends
// or with the tranche; without to it lasts until the next or to the end.
func (b trancheBuild) rateOf(t *contract.Tranche, i int) (contract.Rate, error) {
	e := &b.entry.Rates[i]
	from, to := t.StartMs(), t.EndMs
	if i > 0 {
		from = t.Rates[i-1].ToMs
	}
	var err error
	if e.From.Node != nil {
		if from, err = b.moment("from", e.From); err != nil {
			return contract.Rate{}, err
		}
	}
	if i+1 < len(b.entry.Rates) && b.entry.Rates[i+1].From.Node != nil {
		next := &b.entry.Rates[i+1]
		if to, err = b.moment("from", next.From); err != nil {
			return contract.Rate{}, err
		}
		if to < from {
			return contract.Rate{}, b.wrong(next.Line, "rate %d begins at %s, before rate %d does at %s: rates stand in the order of time", i+2, b.local(to), i+1, b.local(from))
		}
	}
	if e.To.Node != nil {
		if to, err = b.moment("to", e.To); err != nil {
			return contract.Rate{}, err
		}
	}
	return b.rate(from, to, e)
}

func (b trancheBuild) rate(from, to int64, e *rateEntry) (contract.Rate, error) {
	r := contract.Rate{FromMs: from, ToMs: to, HasOverage: e.Overage.Node != nil, HasList: e.List.Node != nil}
	var err error
	if r.PerGPUHour, err = b.money("per_gpu_hour", e.PerHour); err != nil {
		return r, err
	}
	if r.OveragePerGPUHour, err = b.money("overage_per_gpu_hour", e.Overage); err != nil {
		return r, err
	}
	r.ListPerGPUHour, err = b.money("list_per_gpu_hour", e.List)
	return r, err
}

package collector

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// AwaitedError is why a period that goes on has no report yet, though agents
// may have sent records already: a report goes up to two minutes before now. It
// wraps ErrNoData.
type AwaitedError struct {
	// From is the time from which on there is a report: of the GPUs that were
	// seen or, where none was, of an agent that would start now.
	From time.Time
	// GPUs is how many were seen, on Nodes, since Since.
	GPUs  int
	Nodes []string
	Since time.Time

	period string
	now    time.Time
}

// Error says what is known, and when there will be more.
func (e *AwaitedError) Error() string {
	if len(e.Nodes) == 0 {
		return fmt.Sprintf("%v %s yet: no agent has sent a record; of one that starts now, reports tell from %s on (if nothing comes, ask gpumeter doctor)",
			ErrNoData, within(e.period), e.clock(e.From))
	}
	return fmt.Sprintf("%v %s yet: seen since %s: %s of %s (%s); reports tell of that from %s on (if something is missing, ask gpumeter doctor)",
		ErrNoData, within(e.period), e.clock(e.Since), number(e.GPUs, "GPU"), number(len(e.Nodes), "node"), nodeNames(e.Nodes), e.clock(e.From))
}

// Unwrap returns ErrNoData.
func (e *AwaitedError) Unwrap() error { return ErrNoData }

// clock writes a time of today as on a clock.
func (e *AwaitedError) clock(at time.Time) string {
	at = at.UTC()
	if at.Format(time.DateOnly) == e.now.UTC().Format(time.DateOnly) {
		return at.Format(time.TimeOnly) + " UTC"
	}
	return at.Format(time.DateTime) + " UTC"
}

// number writes a number of things.
func number(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return contract.Grouped(int64(n)) + " " + what
}

// namedNodes is how many nodes are named one by one.
const namedNodes = 3

func nodeNames(names []string) string {
	if more := len(names) - namedNodes; more > 0 {
		return strings.Join(names[:namedNodes], ", ") + " and " + contract.Grouped(int64(more)) + " more"
	}
	return strings.Join(names, ", ")
}

// awaited returns what is still to come of a period that goes on; nil where the
// store holds other times only.
func (r *request) awaited(presences []contract.Presence) *AwaitedError {
	asOf := r.asOf.UnixMilli()
	if r.asked.ToMs < asOf || r.asked.FromMs >= asOf {
		return nil
	}
	e := &AwaitedError{period: r.asked.Name, now: r.now, From: reported(r.now)}
	var coming []*contract.Presence
	for i := range presences {
		// A period that ends now, as the last hour, ends where the report does.
		if p := &presences[i]; p.StartMs >= asOf && (p.StartMs < r.asked.ToMs || r.asked.ToMs == asOf) {
			coming = append(coming, p)
		}
	}
	if len(coming) > 0 {
		e.see(coming)
	} else if len(presences) > 0 {
		return nil
	}
	return e
}

// see takes what was seen, which is something.
func (e *AwaitedError) see(coming []*contract.Presence) {
	first := slices.MinFunc(coming, func(a, b *contract.Presence) int { return cmp.Compare(a.StartMs, b.StartMs) })
	e.Since = time.UnixMilli(first.StartMs).UTC()
	e.From = reported(e.Since)
	gpus, nodes := map[string]bool{}, map[string]bool{}
	for _, p := range coming {
		nodes[p.Node] = true
		if !usage.IsSlot(p.GPU) {
			gpus[p.GPU] = true
		}
	}
	e.GPUs, e.Nodes = len(gpus), slices.Sorted(maps.Keys(nodes))
}

// recordedSince is when the first record of any GPU begins, where something of
// what is asked for was contracted before; else nil.
func (r *request) recordedSince(presences []contract.Presence) *time.Time {
	if len(presences) == 0 {
		return nil
	}
	first := slices.MinFunc(presences, func(a, b contract.Presence) int { return cmp.Compare(a.StartMs, b.StartMs) }).StartMs
	for i := range r.contracts {
		for k := range r.contracts[i].Tranches {
			if boughtBefore(&r.contracts[i].Tranches[k], r.periods[i], first) {
				at := time.UnixMilli(first).UTC()
				return &at
			}
		}
	}
	return nil
}

// boughtBefore reports whether a tranche has GPUs in a period before a time.
func boughtBefore(t *contract.Tranche, p contract.Period, ms int64) bool {
	to := min(t.EndMs, p.ToMs, ms)
	if p.FromMs < to && t.GPUsAt(p.FromMs) > 0 {
		return true
	}
	return slices.ContainsFunc(t.Steps, func(s contract.Step) bool { return s.GPUs > 0 && s.FromMs >= p.FromMs && s.FromMs < to })
}

// reported is the first time at which a report, see settled, has something of
// what began at a time.
func reported(began time.Time) time.Time {
	return began.UTC().Truncate(time.Minute).Add(time.Minute + settleAfter)
}

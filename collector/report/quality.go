package report

import (
	"cmp"
	"fmt"

	"github.com/gpumeter/gpumeter/contract"
)

// strays writes the GPUs that no contract covers.
func (t *text) strays() {
	if len(t.r.Uncontracted) == 0 {
		return
	}
	t.blank()
	t.rule()
	t.line("%s", t.paint(bold, "Uncontracted: GPUs in no tranche"))
	t.line("%s", t.paint(bold, fmt.Sprintf("  %-10s %-14s %-14s %-8s %5s %12s %9s", "cloud", "account", "region", "model", "GPUs", "GPU-hours", "busy")))
	for i := range t.r.Uncontracted {
		s := &t.r.Uncontracted[i]
		t.line("  %-10s %-14s %-14s %-8s %5s %12s %9s", clip(known(s.Provider), 10), clip(known(s.Account), 14), clip(known(s.Region), 14),
			clip(known(s.Model), 8), contract.Grouped(int64(s.GPUs)), contract.Hours(s.Ms), contract.Share(s.Buckets[contract.Busy], s.Ms))
		if s.Near != "" {
			t.note("", "nearest: %s", s.Near)
		}
	}
	t.line("%s", t.paint(dim, "  busy is a share of the group's own GPU-hours"))
}

// known writes what is not known as such.
func known(s string) string { return cmp.Or(s, "unknown") }

// quality says how far the report can be trusted, and explains the marks.
func (t *text) quality() {
	q := t.r.Quality
	t.blank()
	t.rule()
	t.line("%s", t.paint(bold, "Data quality"))
	t.note("GPUs", "%s present in the period", contract.Grouped(int64(q.GPUs)))
	if q.OverlapRecords > 0 {
		t.note("overlaps", "records left out, because another agent's own their GPU and time: %s", contract.Grouped(q.OverlapRecords))
	}
	if q.Conflicts > 0 {
		t.note("conflicts", "batches kept aside since the store began, as they had the identity of another: %s", contract.Grouped(q.Conflicts))
	}
	if q.Quarantined > 0 {
		t.note("quarantined", "batches kept aside since the store began, as they could not be accepted: %s", contract.Grouped(q.Quarantined))
	}
	if q.OverlapRecords+q.Conflicts+q.Quarantined == 0 {
		t.note("kept aside", "nothing: no overlaps, no conflicts, no quarantined batches")
	}
	if t.doubtful {
		t.note("?", "more than %d %% of contracted is unobserved or unmeasured: read the bounds", doubt)
	}
	if t.unpriced {
		t.note("~", "part of the time has no price in the contract file")
	}
	t.note("", "Rows are rounded; csv and json are exact.")
}

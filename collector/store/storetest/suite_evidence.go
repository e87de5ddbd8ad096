package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// stretches returns what a store says of a time, with units in words.
func stretches(t *testing.T, st store.Store, fromMs, toMs int64) map[string][]contract.Stretch {
	t.Helper()
	names, out := labels(t, st), map[string][]contract.Stretch{}
	var last contract.Stretch
	err := st.Stretches(context.Background(), fromMs, toMs, func(s contract.Stretch) error {
		if s.Unit < last.Unit || s.Unit == last.Unit && s.FromMs < last.ToMs {
			t.Errorf("stretch %+v comes after %+v", s, last)
		}
		last = s
		name := names[s.Unit]
		s.Unit = 0
		out[name] = append(out[name], s)
		return nil
	})
	if err != nil {
		t.Fatalf("stretches: %v", err)
	}
	return out
}

// entries returns the records of random spans, with units in words.
func entries(t *testing.T, st store.Store, spans []wanted) (out []store.Entry, units []string) {
	t.Helper()
	names, ids := labels(t, st), map[string]int64{}
	for unit, l := range names {
		ids[l] = unit
	}
	list := make([]contract.Span, len(spans))
	for i, s := range spans {
		s.Unit = ids[s.label]
		list[i] = s.Span
	}
	err := st.Entries(context.Background(), list, func(e store.Entry) error {
		units = append(units, names[e.Unit])
		e.Unit = 0
		out = append(out, e)
		return nil
	})
	if err != nil {
		t.Fatalf("entries: %v", err)
	}
	return out, units
}

// compareEvidence holds what a store can prove against the model.
func compareEvidence(t *testing.T, got store.Store, want *Model, r *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	presence := present(t, want)
	for range 2 {
		from := t0 + r.Int64N(200)*hour + r.Int64N(2)*r.Int64N(hour)
		to := from + r.Int64N(200)*hour
		if diff := cmp.Diff(stretches(t, got, from, to), stretches(t, want, from, to)); diff != "" {
			t.Fatalf("stretches from %d to %d (-got +want):\n%s", from, to, diff)
		}
		spans, _ := randomQuery(r, presence)
		g, gotUnits := entries(t, got, spans)
		w, wantUnits := entries(t, want, spans)
		if diff := cmp.Diff(g, w) + cmp.Diff(gotUnits, wantUnits); diff != "" {
			t.Fatalf("entries (-got +want):\n%s", diff)
		}
		q := store.EventQuery{FromMs: from, ToMs: to, Limit: 1 + r.IntN(20)}
		if r.IntN(2) == 0 {
			q.Node, q.Kinds = "node-1", []usage.EventKind{usage.EventXid, usage.EventGoodbye}[r.IntN(2):]
		}
		gotEvents, err := got.EventsOf(ctx, q)
		wantEvents, _ := want.EventsOf(ctx, q)
		if diff := cmp.Diff(gotEvents, wantEvents); err != nil || diff != "" && len(gotEvents)+len(wantEvents) > 0 {
			t.Errorf("events of %+v: %v (-got +want):\n%s", q, err, diff)
		}
	}
	lo := r.Uint64N(20)
	gotLinks, err := got.Links(ctx, id(0), id(1), lo, lo+30)
	for i := range gotLinks {
		gotLinks[i].ReceivedMs = 0
	}
	wantLinks, _ := want.Links(ctx, id(0), id(1), lo, lo+30)
	if diff := cmp.Diff(gotLinks, wantLinks); err != nil || diff != "" {
		t.Errorf("links: %v (-got +want):\n%s", err, diff)
	}
}

func tellsWhatWasLost(t *testing.T, open Open) {
	st := fresh(t, open)
	hurt := func(fromMs int64, unhealthy, idle int64, reason string) usage.Record {
		return usage.Record{GPU: "GPU-a", StartMs: fromMs, EndMs: fromMs + minute, Reason: reason,
			Sums: usage.Sums{UnhealthyMs: unhealthy, IdleMs: idle}}
	}
	midnight := (t0/(24*hour) + 2) * 24 * hour
	both := hurt(t0+3*minute, 0, 10*second, "paused") // shares the window with the fault before it
	add(t, st, []usage.Sealed{
		records(1, 1, busy("GPU-a", t0, t0+minute)), records(1, 2, busy("GPU-a", t0+minute, t0+2*minute)),
		records(1, 3, hurt(t0+2*minute, 20*second, 40*second, "xid_79")),
		records(1, 4, hurt(t0+3*minute, 30*second, 0, "xid_79"), both),
		records(1, 5, hurt(t0+5*minute, 0, 0, "driver_hang")),
		records(1, 6, busy("GPU-a", t0+6*minute, t0+7*minute)),
		records(2, 1, hurt(t0+6*minute, minute, 0, "xid_48")), // owns nothing
		// On both sides of midnight, and after a day without a record.
		records(1, 7, busy("GPU-a", midnight-minute, midnight)), records(1, 8, busy("GPU-a", midnight, midnight+minute)),
		records(1, 9, busy("GPU-a", midnight+48*hour, midnight+48*hour+minute)),
	})
	var got []contract.Stretch
	for _, list := range stretches(t, st, t0, t0+200*hour) {
		got = append(got, list...)
	}
	want := []contract.Stretch{
		{FromMs: t0, ToMs: t0 + 2*minute, HealthyMs: 2 * minute},
		{FromMs: t0 + 2*minute, ToMs: t0 + 3*minute, HealthyMs: 40 * second, UnhealthyMs: 20 * second, Fault: "xid_79"},
		{FromMs: t0 + 3*minute, ToMs: t0 + 4*minute, HealthyMs: 10 * second, UnhealthyMs: 30 * second, Fault: "xid_79", Missing: "paused"},
		{FromMs: t0 + 5*minute, ToMs: t0 + 6*minute, Missing: "driver_hang"},
		{FromMs: t0 + 6*minute, ToMs: t0 + 7*minute, HealthyMs: minute},
		{FromMs: midnight - minute, ToMs: midnight + minute, HealthyMs: 2 * minute},
		{FromMs: midnight + 48*hour, ToMs: midnight + 48*hour + minute, HealthyMs: minute},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("stretches (-got +want):\n%s", diff)
	}
	stop := errors.New("stop")
	if err := st.Stretches(context.Background(), t0, t0+hour, func(contract.Stretch) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stretches = %v, want the error of f", err)
	}
}

func remembersWhenItRan(t *testing.T, open Open) {
	ctx, dir := context.Background(), t.TempDir()
	st := open(t, dir)
	for _, l := range []contract.Life{{FromMs: 500, ToMs: 500}, {FromMs: 10, ToMs: 20}, {FromMs: 10, ToMs: 400}, {FromMs: 10, ToMs: 30}} {
		if err := st.Beat(ctx, l); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	got, err := st.Lives(ctx)
	if want := []contract.Life{{FromMs: 10, ToMs: 400}, {FromMs: 500, ToMs: 500}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("lives = %v, %v, want %v", got, err, want)
	}
}

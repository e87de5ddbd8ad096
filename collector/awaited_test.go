package collector_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// begun returns a store with the first window of new nodes, each with two GPUs,
// which begins at a time and ends with the minute.
func begun(t *testing.T, at time.Time, nodes ...string) *storetest.Model {
	t.Helper()
	st := storetest.NewModel()
	for i, node := range nodes {
		b := batch(fmt.Sprintf("%032x", i+1), 1)
		b.Node.Name = node
		end := at.Truncate(time.Minute).Add(time.Minute)
		b.GPUs, b.Records = nil, nil
		for k := range 2 {
			uuid := fmt.Sprintf("GPU-%s-%d", node, k)
			b.GPUs = append(b.GPUs, usage.GPU{UUID: uuid, Model: "H100"})
			b.Records = append(b.Records, usage.Record{GPU: uuid, StartMs: at.UnixMilli(), EndMs: end.UnixMilli(),
				Holder: usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "ann"}, Sums: usage.Sums{BusyMs: end.Sub(at).Milliseconds()}})
		}
		if _, err := st.Append(t.Context(), []usage.Sealed{seal(t, b)}); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

func TestFreshInstallSaysWhenThereIsMore(t *testing.T) {
	at := time.Date(2026, 11, 5, 10, 0, 37, 0, time.UTC)
	f := func(st *storetest.Model, ask collector.Ask, now time.Time, want string) {
		t.Helper()
		_, err := collector.Report(t.Context(), st, nil, ask, now)
		if !errors.Is(err, collector.ErrNoData) || err.Error() != want {
			t.Errorf("%+v at %s: %v, want %q", ask, now, err, want)
		}
	}
	none := storetest.NewModel()
	f(none, collector.Ask{}, at, "no data for 2026-11 yet: no agent has sent a record; of one that starts now, reports tell from 10:03:00 UTC on (if nothing comes, ask gpumeter doctor)")
	f(none, collector.Ask{Since: time.Hour}, at, "no data in the last 1h yet: no agent has sent a record; of one that starts now, reports tell from 10:03:00 UTC on (if nothing comes, ask gpumeter doctor)")
	f(none, collector.Ask{Month: "2026-10"}, at, "no data for 2026-10: the store holds no records yet")
	night := time.Date(2026, 11, 5, 23, 58, 0, 0, time.UTC)
	f(none, collector.Ask{}, night, "no data for 2026-11 yet: no agent has sent a record; of one that starts now, reports tell from 2026-11-06 00:01:00 UTC on (if nothing comes, ask gpumeter doctor)")
	one := begun(t, at, "gpu-0")
	f(one, collector.Ask{}, at.Add(40*time.Second), "no data for 2026-11 yet: seen since 10:00:37 UTC: 2 GPUs of 1 node (gpu-0); reports tell of that from 10:03:00 UTC on (if something is missing, ask gpumeter doctor)")
	many := begun(t, at, "e", "d", "c", "b", "a")
	f(one, collector.Ask{Since: time.Hour}, at.Add(40*time.Second), "no data in the last 1h yet: seen since 10:00:37 UTC: 2 GPUs of 1 node (gpu-0); reports tell of that from 10:03:00 UTC on (if something is missing, ask gpumeter doctor)")
	f(one, collector.Ask{From: "2026-11-01", To: "2026-11-02"}, at.Add(40*time.Second), "no data for 2026-11-01: the store holds records from 2026-11-05T10:00:37Z to 2026-11-05T10:01:00Z")
	f(many, collector.Ask{}, at.Add(time.Minute), "no data for 2026-11 yet: seen since 10:00:37 UTC: 10 GPUs of 5 nodes (a, b, c and 2 more); reports tell of that from 10:03:00 UTC on (if something is missing, ask gpumeter doctor)")
	few := begun(t, at, "gpu-0")
	b := batch(fmt.Sprintf("%032x", 1), 2)
	b.Node.Name = "gpu-0"
	b.GPUs = []usage.GPU{{UUID: usage.Slot("gpu-0", 2), Model: "H100"}}
	b.Records[0].GPU, b.Records[0].StartMs, b.Records[0].EndMs = b.GPUs[0].UUID, at.UnixMilli(), at.UnixMilli()+60_000
	b.Records[0].Holder, b.Records[0].Sums = usage.Holder{}, usage.Sums{UnhealthyMs: 60_000}
	if _, err := few.Append(t.Context(), []usage.Sealed{seal(t, b)}); err != nil {
		t.Fatal(err)
	}
	f(few, collector.Ask{}, at.Add(40*time.Second), "no data for 2026-11 yet: seen since 10:00:37 UTC: 2 GPUs of 1 node (gpu-0); reports tell of that from 10:03:00 UTC on (if something is missing, ask gpumeter doctor)")
	// What was seen lies outside of what is asked.
	holds := "the store holds records from 2026-11-05T10:00:37Z to 2026-11-05T10:01:00Z"
	f(one, collector.Ask{Month: "2026-10"}, at.Add(time.Minute), "no data for 2026-10: "+holds)
	f(one, collector.Ask{Since: time.Hour}, at.Add(48*time.Hour), "no data in the last 1h: "+holds)
}

// TestReportIsThereWhenItWasPromised lets an agent begin at any time, and asks
// just before what was promised, and then.
func TestReportIsThereWhenItWasPromised(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		at := time.Date(2026, 11, 5, 10, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(600_000)) * time.Millisecond)
		if r.IntN(4) == 0 {
			at = at.Truncate(time.Minute)
		}
		st := begun(t, at, "gpu-0")
		ask := func(now time.Time) (*collector.AwaitedError, error) {
			_, err := collector.Report(t.Context(), st, nil, collector.Ask{}, now)
			e, _ := errors.AsType[*collector.AwaitedError](err)
			return e, err
		}
		e, err := ask(at.Add(time.Minute))
		if e == nil || e.GPUs != 2 || !e.Since.Equal(at) {
			t.Fatalf("begun at %s: %v", at, err)
		}
		if early, err := ask(e.From.Add(-time.Millisecond)); early == nil || !early.From.Equal(e.From) {
			t.Errorf("begun at %s, promised for %s: %v just before", at, e.From, err)
		}
		if _, err := ask(e.From); err != nil {
			t.Errorf("begun at %s, promised for %s: %v", at, e.From, err)
		}
	}
}

// TestReportSaysSinceWhenItIsMetered compares with looking at each hour before
// the first record.
func TestReportSaysSinceWhenItIsMetered(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	day := func(n int) int64 { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC).UnixMilli() }
	at := time.UnixMilli(day(5)).UTC()
	st := begun(t, at, "gpu-0")
	said := map[bool]int{}
	for range 400 {
		c := contract.Contract{ID: "acme", Provider: "aws", Currency: "USD", Zone: time.UTC}
		tranche := contract.Tranche{ID: "h100", Model: "H100", EndMs: day(2 + r.IntN(12))}
		for from := 1 + r.IntN(6); day(from) < tranche.EndMs && len(tranche.Steps) < 3; from += 1 + r.IntN(3) {
			tranche.Steps = append(tranche.Steps, contract.Step{FromMs: day(from), GPUs: r.IntN(2)})
		}
		if len(tranche.Steps) == 0 {
			continue
		}
		c.Tranches = []contract.Tranche{tranche}
		from := 1 + r.IntN(5)
		ask := collector.Ask{From: fmt.Sprintf("2026-11-%02d", from)}
		rep, err := collector.Report(t.Context(), st, []contract.Contract{c}, ask, at.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		want := false
		for ms := day(from); ms < at.UnixMilli(); ms += 3_600_000 {
			want = want || tranche.GPUsAt(ms) > 0
		}
		got := rep.Quality.RecordedSince
		if (got != nil) != want || got != nil && !got.Equal(at) {
			t.Fatalf("%+v from %s: metered since %v, want that it says so: %t", tranche, ask.From, got, want)
		}
		said[want]++
	}
	if said[true] < 20 || said[false] < 20 {
		t.Errorf("it was said %d times, and not %d", said[true], said[false])
	}
}

// TestPageWaitsForTheFirstReport holds that the page says so, and comes again by
// itself only while there is something to come.
func TestPageWaitsForTheFirstReport(t *testing.T) {
	at := time.Date(2026, 11, 5, 10, 0, 37, 0, time.UTC)
	f := func(st *storetest.Model, url, heading, refresh string) {
		t.Helper()
		h := start(t, collector.Config{Store: st, Book: collector.FixedBook(nil), Now: func() time.Time { return at.Add(time.Minute) }})
		w := do(h, "GET", url, nil)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "<h1>"+heading+"</h1>") || w.Header().Get("Refresh") != refresh {
			t.Errorf("%s: status %d, refresh %q, want %q in %s", url, w.Code, w.Header().Get("Refresh"), heading, w.Body)
		}
	}
	f(begun(t, at, "gpu-0"), "/", "The first minutes are being metered", "15")
	f(begun(t, at, "gpu-0"), "/?month=2026-10", "No contracts yet", "")
	f(storetest.NewModel(), "/", "No contracts yet", "")
}

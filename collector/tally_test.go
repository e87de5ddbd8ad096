package collector

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// tallied is a tally over a store in memory, with a clock of its own. Two GPUs
// are contracted, and one stands there.
type tallied struct {
	*tally
	t     *testing.T
	model *storetest.Model
	clock time.Time
	seq   uint64
}

var tallyStart = time.Date(2026, 10, 5, 9, 30, 0, 0, time.UTC)

func newTallied(t *testing.T) *tallied {
	x := &tallied{t: t, model: storetest.NewModel(), clock: tallyStart}
	x.tally = x.another()
	return x
}

// another is a further collector's tally over the same store.
func (x *tallied) another() *tally {
	contracts := []contract.Contract{{
		ID: "c", Provider: "aws", Currency: "USD", Zone: time.UTC,
		SLAs: []contract.SLA{{ID: "gold", Target: 995_000}},
		Tranches: []contract.Tranche{{
			ID: "t", Model: "H100", SLA: "gold", Steps: []contract.Step{{FromMs: tallyStart.Add(-48 * time.Hour).UnixMilli(), GPUs: 2}},
			EndMs: tallyStart.AddDate(1, 0, 0).UnixMilli(),
			Rates: []contract.Rate{{FromMs: 0, ToMs: 1 << 50, PerGPUHour: 2_500_000}},
		}},
	}}
	return &tally{store: x.model, contracts: func() []contract.Contract { return contracts }, now: func() time.Time { return x.clock }, log: slog.New(slog.DiscardHandler)}
}

// send records one busy minute.
func (x *tallied) send(minute time.Time) {
	x.t.Helper()
	x.seq++
	s, err := usage.Seal(usage.Batch{
		Version: usage.WireVersion, Agent: strings.Repeat("a", 32), Epoch: strings.Repeat("e", 32), Seq: x.seq, Evidence: usage.EvidenceAgent, IntervalMs: 1000,
		Node: usage.Node{Name: "n", Cloud: usage.Cloud{Provider: "aws"}}, GPUs: []usage.GPU{{UUID: "GPU-1", Model: "H100"}},
		Records: []usage.Record{{GPU: "GPU-1", StartMs: minute.UnixMilli(), EndMs: minute.UnixMilli() + 60_000,
			Holder: usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "ann"}, Sums: usage.Sums{BusyMs: 60_000}}},
	})
	if err == nil {
		_, err = x.model.Append(x.t.Context(), []usage.Sealed{s})
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *tallied) step(t *tally) {
	x.t.Helper()
	if err := t.advance(x.t.Context(), x.clock); err != nil {
		x.t.Fatal(err)
	}
}

func (x *tallied) buckets(t *tally) contract.Time { return t.counts.Tranches["c/t"].Buckets }

// TestTallyNeverTakesBack lets some minutes arrive late, and others hours late,
// and starts the collector anew in between.
func TestTallyNeverTakesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := newTallied(t)
	var late []time.Time
	var last contract.Time
	for range 400 {
		minute := x.clock.Truncate(time.Minute).Add(-time.Minute)
		if r.IntN(5) == 0 {
			late = append(late, minute)
		} else {
			x.send(minute)
		}
		if len(late) > 0 && r.IntN(10) == 0 {
			x.send(late[len(late)-1])
			late = late[:len(late)-1]
		}
		x.step(x.tally)
		last = x.grown(x.tally, last)
		if r.IntN(20) == 0 {
			x.leave(ended(t))
			x.tally = x.another()
		}
		x.clock = x.clock.Add(time.Minute)
	}
	for _, m := range late {
		x.send(m)
	}
	x.clock = x.clock.Truncate(time.Hour).Add(time.Hour + tallyLag)
	x.step(x.tally)
	checkCorrections(t, x)
}

// grown is what a tally shows, which is in no bucket less than it was.
func (x *tallied) grown(t *tally, was contract.Time) contract.Time {
	x.t.Helper()
	now := t.shown.Tranches["c/t"].Buckets
	for b := range now {
		if now[b] < was[b] {
			x.t.Fatalf("%s fell from %d to %d", contract.Bucket(b), was[b], now[b])
		}
	}
	return now
}

// ended is a context that has.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// checkCorrections compares counters and corrections with a count of all time
// at once.
func checkCorrections(t *testing.T, x *tallied) {
	t.Helper()
	presences, err := x.model.Presence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := tallyStart.Add(-tallyLag).Truncate(time.Hour).UnixMilli()
	truth, err := x.count(t.Context(), presences, first, x.counts.AtMs)
	if err != nil {
		t.Fatal(err)
	}
	sum := x.buckets(x.tally)
	if off := x.corrections["c/t"]; off[contract.Busy] == 0 {
		t.Errorf("nothing is corrected: %v", off)
	} else {
		sum.Add(off)
	}
	if diff := cmp.Diff(truth.Tranches["c/t"].Buckets, sum); diff != "" {
		t.Errorf("counted and corrected is not the truth (-want +got):\n%s", diff)
	}
	if want := 2 * (x.counts.AtMs - first); sum.Total() != want {
		t.Errorf("%d ms in all, contracted are %d", sum.Total(), want)
	}
}

// TestCorrectionsReachBackSoFar has records arrive for the day before, and for
// a day that minute records are no longer kept of.
func TestCorrectionsReachBackSoFar(t *testing.T) {
	x := newTallied(t)
	for range 40 {
		x.send(x.clock.Add(-time.Hour))
		x.step(x.tally)
		x.clock = x.clock.AddDate(0, 0, 1)
	}
	x.send(tallyStart.Add(24*time.Hour - 30*time.Minute))
	x.send(x.clock.Add(-24*time.Hour - 30*time.Minute))
	x.step(x.tally)
	if got := x.corrections["c/t"]; got[contract.Busy] != 60_000 || got[contract.Unobserved] != -60_000 || got.Total() != 0 {
		t.Errorf("corrected by %v, want one minute from unobserved to busy", got)
	}
}

// TestCollectorsOfOneStoreCountTheSame lets a second collector close an hour
// on other records than the first.
func TestCollectorsOfOneStoreCountTheSame(t *testing.T) {
	x := newTallied(t)
	second := x.another()
	x.send(tallyStart.Add(-30 * time.Minute))
	x.step(x.tally)
	x.step(second)
	x.clock = x.clock.Add(time.Hour)
	x.step(x.tally)
	x.send(tallyStart.Add(-25 * time.Minute))
	x.step(second)
	if diff := cmp.Diff(x.counts, second.counts); diff != "" {
		t.Errorf("collectors differ (-first +second):\n%s", diff)
	}
}

// TestNothingShownFallsWhereAnotherCounted lets a first collector close an hour
// with records that came after a second one had counted their minutes.
func TestNothingShownFallsWhereAnotherCounted(t *testing.T) {
	x := newTallied(t)
	second := x.another()
	x.send(tallyStart.Add(-30 * time.Minute))
	x.step(second)
	x.clock = x.clock.Add(39 * time.Minute)
	x.step(second)
	was := x.grown(second, contract.Time{})
	x.send(tallyStart.Add(-25 * time.Minute))
	x.send(tallyStart.Add(-24 * time.Minute))
	x.clock = x.clock.Add(time.Minute)
	x.step(x.tally)
	x.step(second)
	is := x.grown(second, was)
	if is[contract.Busy] != 180_000 || is[contract.Unobserved] != was[contract.Unobserved] || second.counts.AtMs != x.counts.AtMs {
		t.Errorf("the second shows %v, up to %d; the first counted up to %d", is, second.counts.AtMs, x.counts.AtMs)
	}
	x.clock = x.clock.Add(time.Hour)
	x.step(second)
	if diff := cmp.Diff(second.counts, second.shown); diff != "" {
		t.Errorf("the second goes on showing what it counted alone (-counted +shown):\n%s", diff)
	}
}

// TestAnOutageOfTheCollectorIsNotCountedBeforeAgentsAreBack has the records of an
// outage come five minutes after it.
func TestAnOutageOfTheCollectorIsNotCountedBeforeAgentsAreBack(t *testing.T) {
	x := newTallied(t)
	for at := tallyStart.Add(-30 * time.Minute); at.Before(tallyStart); at = at.Add(time.Minute) {
		x.send(at)
	}
	x.alive(tallyStart.Add(-time.Hour), tallyStart)
	x.step(x.tally)
	x.leave(ended(t))
	was := x.counts
	x.clock = x.clock.Add(30 * time.Minute)
	x.tally = x.another()
	x.alive(x.clock, x.clock)
	x.step(x.tally)
	x.clock = x.clock.Add(5 * time.Minute)
	x.step(x.tally)
	for at := tallyStart; at.Before(x.clock); at = at.Add(time.Minute) {
		x.send(at)
	}
	if x.shown.AtMs != 0 {
		t.Errorf("counted up to %d before agents could be back", x.shown.AtMs)
	}
	x.clock = x.clock.Add(2 * time.Minute)
	x.step(x.tally)
	more := (x.counts.AtMs - was.AtMs)
	if got := x.buckets(x.tally)[contract.Busy] - was.Tranches["c/t"].Buckets[contract.Busy]; got != more || more != 37*60_000 {
		t.Errorf("%d ms busy of %d, want all of 37 minutes", got, more)
	}
}

// alive has a collector be there in a span of time.
func (x *tallied) alive(from, to time.Time) {
	x.t.Helper()
	if err := x.model.Beat(x.t.Context(), contract.Life{FromMs: from.UnixMilli(), ToMs: to.UnixMilli()}); err != nil {
		x.t.Fatal(err)
	}
}

func TestReturnedIsAfterAnOutageOfAll(t *testing.T) {
	minute := func(n int) int64 { return tallyStart.Add(time.Duration(n) * time.Minute).UnixMilli() }
	f := func(want bool, bounds ...int) {
		t.Helper()
		var lives []contract.Life
		for i := 0; i+1 < len(bounds); i += 2 {
			lives = append(lives, contract.Life{FromMs: minute(bounds[i]), ToMs: minute(bounds[i+1])})
		}
		if got := returned(lives, tallyStart); got != want {
			t.Errorf("lives %v: %v, want %v", bounds, got, want)
		}
	}
	f(false)                    // a new store
	f(false, 0, 0)              // its collector said so already
	f(false, -90, -10)          // a restart
	f(true, -90, -11)           // an outage
	f(true, -90, -30, -6, 0)    // that ended just now
	f(false, -90, -30, -7, 0)   // and is over
	f(false, -90, -1, -60, -30) // another ran all the time
	f(false, -60, -30, -90, -1) // in whatever order
	f(true, -60, -40, -90, -50) // both stopped
}

// silenced is a store that keeps no documents.
type silenced struct{ store.Store }

func (silenced) PutDocument(context.Context, string, []byte) error { return errors.New("disk full") }

// TestNoHourIsCountedThatIsNotKept has the store refuse the document of an hour.
func TestNoHourIsCountedThatIsNotKept(t *testing.T) {
	x := newTallied(t)
	x.step(x.tally)
	was := x.counts
	x.tally.store = silenced{x.model}
	x.clock = x.clock.Add(time.Hour)
	if err := x.advance(t.Context(), x.clock); err == nil {
		t.Fatal("no error of a store that keeps nothing")
	}
	if diff := cmp.Diff(was, x.counts); diff != "" {
		t.Errorf("counted what was not kept (-was +is):\n%s", diff)
	}
}

// failing is a store that answers no sums.
type failing struct{ store.Store }

func (failing) Sums(context.Context, contract.Query) (contract.Answer, error) {
	return contract.Answer{}, errors.New("disk on fire")
}

func TestTallyCatchesUpWhenTheStoreIsBack(t *testing.T) {
	x := newTallied(t)
	x.step(x.tally)
	x.tally.store = failing{x.model}
	x.clock = x.clock.Add(3 * time.Hour)
	if err := x.advance(t.Context(), x.clock); err == nil {
		t.Fatal("no error of a store that fails")
	}
	x.tally.store = x.model
	x.step(x.tally)
	if want := x.clock.Add(-tallyLag).UnixMilli(); x.counts.AtMs != want {
		t.Errorf("counted up to %d, want %d", x.counts.AtMs, want)
	}
}

func TestTallyOnThePage(t *testing.T) {
	x := newTallied(t)
	x.send(tallyStart.Add(-20 * time.Minute))
	x.step(x.tally)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(x.tally)
	// From 09:00 to 09:20, of two GPUs: one stood there from 09:10.
	want := `
# HELP gpumeter_contract_availability_target_ratio Uptime that the provider promises.
# TYPE gpumeter_contract_availability_target_ratio gauge
gpumeter_contract_availability_target_ratio{cloud="aws",contract="c",gpu_model="H100",tranche="t"} 0.995
# HELP gpumeter_contract_gpu_seconds_total Contracted GPU time by what became of it, up to the watermark; all buckets together are what was contracted.
# TYPE gpumeter_contract_gpu_seconds_total counter
gpumeter_contract_gpu_seconds_total{bucket="busy",cloud="aws",contract="c",gpu_model="H100",tranche="t"} 60
gpumeter_contract_gpu_seconds_total{bucket="idle",cloud="aws",contract="c",gpu_model="H100",tranche="t"} 0
gpumeter_contract_gpu_seconds_total{bucket="unallocated",cloud="aws",contract="c",gpu_model="H100",tranche="t"} 0
gpumeter_contract_gpu_seconds_total{bucket="undelivered",cloud="aws",contract="c",gpu_model="H100",tranche="t"} 1800
gpumeter_contract_gpu_seconds_total{bucket="unhealthy",cloud="aws",contract="c",gpu_model="H100",tranche="t"} 0
gpumeter_contract_gpu_seconds_total{bucket="unmeasured",cloud="aws",contract="c",gpu_model="H100",tranche="t"} 0
gpumeter_contract_gpu_seconds_total{bucket="unobserved",cloud="aws",contract="c",gpu_model="H100",tranche="t"} 540
# HELP gpumeter_contract_gpus GPUs that are contracted now.
# TYPE gpumeter_contract_gpus gauge
gpumeter_contract_gpus{cloud="aws",contract="c",gpu_model="H100",tranche="t"} 2
# HELP gpumeter_contract_price_per_gpu_hour Committed price of a GPU-hour now.
# TYPE gpumeter_contract_price_per_gpu_hour gauge
gpumeter_contract_price_per_gpu_hour{cloud="aws",contract="c",currency="USD",gpu_model="H100",tranche="t"} 2.5
# HELP gpumeter_fleet_gpus GPUs by what is known of them now: reporting, silent (for up to a day), or missing from a node that reports.
# TYPE gpumeter_fleet_gpus gauge
gpumeter_fleet_gpus{cloud="aws",gpu_model="H100",state="silent"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "gpumeter_contract_availability_target_ratio",
		"gpumeter_contract_gpu_seconds_total", "gpumeter_contract_gpus", "gpumeter_contract_price_per_gpu_hour", "gpumeter_fleet_gpus"); err != nil {
		t.Error(err)
	}
}

func TestFleetCountsEachOnce(t *testing.T) {
	now := tallyStart
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	got := countFleet([]contract.Presence{
		{GPU: "A", Node: "n1", Provider: "aws", Model: "H100", EndMs: ago(48 * time.Hour)}, // gone
		{GPU: "A", Node: "n2", Provider: "aws", Model: "H100", EndMs: ago(time.Minute)},    // stands elsewhere now
		{GPU: "n2/slot-7", Node: "n2", Provider: "aws", Model: "H100", EndMs: ago(time.Minute)},
		{GPU: "B", Node: "n3", Provider: "google", Model: "T4", EndMs: ago(time.Hour)},
		{GPU: "D", Node: "n5", Provider: "google", Model: "A100", EndMs: ago(silentAfter)},
		{GPU: "E", Node: "n6", Provider: "google", Model: "L4", EndMs: ago(contract.Decommission + time.Millisecond)},
		{GPU: "C", Node: "n4", Provider: "google", Model: "T4", EndMs: ago(time.Hour), Goodbye: true},
	}, now)
	want := fleetCounts{
		GPUs: map[fleetKey]int{
			{"aws", "H100", fleetReporting}: 1, {"aws", "H100", fleetMissing}: 1, {"google", "T4", fleetSilent}: 1,
			{"google", "A100", fleetReporting}: 1,
		},
		Nodes: map[fleetKey]int{{"aws", "", fleetReporting}: 1, {"google", "", fleetReporting}: 1, {"google", "", fleetSilent}: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fleet (-want +got):\n%s", diff)
	}
}

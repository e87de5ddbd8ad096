package fleet_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/sim/fleet"
	"github.com/gpumeter/gpumeter/usage"
)

const hour = time.Hour

var start = time.Date(2026, 2, 23, 0, 0, 0, 0, time.UTC) // four weeks hold a change of clocks

func newFleet(t testing.TB, cfg fleet.Config) *fleet.Fleet {
	t.Helper()
	if cfg.Start.IsZero() {
		cfg.Start = start
	}
	f, err := fleet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// history collects the batches of a span.
func history(t testing.TB, f *fleet.Fleet, from, to time.Time) []usage.Sealed {
	t.Helper()
	var out []usage.Sealed
	for s, err := range f.History(from, to) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// minutes collects the batches of a span, minute by minute.
func minutes(t testing.TB, f *fleet.Fleet, from, to time.Time) []usage.Sealed {
	t.Helper()
	var out []usage.Sealed
	for m := f.Minutes(from); m.Start().Before(to); {
		batches, err := m.Next()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, batches...)
	}
	return out
}

func TestEveryBatchCanBeAccepted(t *testing.T) {
	for _, cfg := range []fleet.Config{{Seed: 1}, {Seed: 2, GPUs: 1}, {Seed: 3, GPUs: 800}} {
		f := newFleet(t, cfg)
		days := min(30, 1+1500/f.GPUs())
		all := history(t, f, start.Add(time.Duration(28-days)*24*hour), start.Add(28*24*hour))
		all = append(all, minutes(t, f, start.Add(24*24*hour), start.Add(24*24*hour+20*time.Minute))...)
		for i := range all {
			if err := all[i].Batch.Check(); err != nil {
				t.Fatalf("seed %d, batch %s: %v", cfg.Seed, all[i].Batch.ID(), err)
			}
			if v := all[i].Batch.Node.Agent; v != fleet.AgentVersion {
				t.Fatalf("batch %s: agent version %q does not say that it is made up", all[i].Batch.ID(), v)
			}
		}
	}
}

func TestSameSeedGivesSameBytes(t *testing.T) {
	run := func(seed uint64) []usage.Sealed {
		f := newFleet(t, fleet.Config{Seed: seed, GPUs: 80})
		return append(history(t, f, start, start.Add(9*24*hour)), minutes(t, f, start, start.Add(hour))...)
	}
	a, b, other := run(7), run(7), run(8)
	if len(a) != len(b) {
		t.Fatalf("%d and %d batches from one seed", len(a), len(b))
	}
	for i := range a {
		if !bytes.Equal(a[i].Body, b[i].Body) {
			t.Fatalf("batch %s differs between two runs", a[i].Batch.ID())
		}
	}
	if bytes.Equal(a[0].Body, other[0].Body) {
		t.Error("two seeds gave the same batch")
	}
}

func TestChainIsWholeForEveryEpoch(t *testing.T) {
	f := newFleet(t, fleet.Config{Seed: 7, GPUs: 80})
	from := start.Add(25 * 24 * hour) // a node is silent
	all := append(history(t, f, from, from.Add(30*hour)), minutes(t, f, from, from.Add(2*hour))...)
	type tail struct {
		seq  uint64
		hash string
	}
	tails := map[string]tail{}
	for _, s := range all {
		key := s.Batch.Agent + "/" + s.Batch.Epoch
		if want := tails[key]; s.Batch.Seq != want.seq+1 || s.Batch.Prev != want.hash {
			t.Fatalf("batch %s follows %+v but says prev_hash %q", s.Batch.ID(), want, s.Batch.Prev)
		}
		tails[key] = tail{s.Batch.Seq, s.Hash.String()}
	}
	if len(tails) < 2*f.Nodes()-2 {
		t.Errorf("%d epochs for %d nodes: hours and minutes share some", len(tails), f.Nodes())
	}
}

// totals adds records up by GPU, holder and hour. Reasons are left out: one of
// an hour is that of any of its minutes.
func totals(batches []usage.Sealed) map[string]usage.Sums {
	out := map[string]usage.Sums{}
	for _, s := range batches {
		for _, r := range s.Batch.Records {
			key := fmt.Sprint(r.GPU, r.StartMs/3_600_000, r.Holder)
			sum := out[key]
			sum.Add(r.Sums)
			out[key] = sum
		}
	}
	return out
}

// bounds is when every GPU has its first and its last record.
func bounds(batches []usage.Sealed) map[string][2]int64 {
	out := map[string][2]int64{}
	for _, s := range batches {
		for _, r := range s.Batch.Records {
			b, ok := out[r.GPU]
			if !ok {
				b = [2]int64{r.StartMs, r.EndMs}
			}
			out[r.GPU] = [2]int64{min(b[0], r.StartMs), max(b[1], r.EndMs)}
		}
	}
	return out
}

func events(batches []usage.Sealed) []usage.Event {
	var out []usage.Event
	for _, s := range batches {
		out = append(out, s.Batch.Events...)
	}
	slices.SortFunc(out, func(a, b usage.Event) int {
		return strings.Compare(fmt.Sprintf("%013d %v", a.AtMs, a), fmt.Sprintf("%013d %v", b.AtMs, b))
	})
	return out
}

func TestHoursAreTheSumOfTheirMinutes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := newFleet(t, fleet.Config{Seed: seed, GPUs: 1})
	for _, d := range []int{8, 25, 27, 56} {
		from := start.Add(time.Duration(d) * 24 * hour).Add(time.Duration(seed%24) * hour)
		to := from.Add(16 * hour)
		hours, mins := history(t, f, from, to), minutes(t, f, from, to)
		if diff := cmp.Diff(totals(hours), totals(mins)); diff != "" {
			t.Fatalf("day %d: totals of hours (-) and minutes (+) differ:\n%s", d, diff)
		}
		if diff := cmp.Diff(bounds(hours), bounds(mins)); diff != "" {
			t.Fatalf("day %d: bounds of hours (-) and minutes (+) differ:\n%s", d, diff)
		}
		if diff := cmp.Diff(events(hours), events(mins)); diff != "" {
			t.Fatalf("day %d: events of hours (-) and minutes (+) differ:\n%s", d, diff)
		}
	}
}

func TestHistoryLeavesOutHoursThatAreCut(t *testing.T) {
	f := newFleet(t, fleet.Config{Seed: 7, GPUs: 1})
	from, to := start.Add(90*time.Minute), start.Add(5*hour+59*time.Minute)
	lo, hi := int64(1<<62), int64(0)
	for _, b := range bounds(history(t, f, from, to)) {
		lo, hi = min(lo, b[0]), max(hi, b[1])
	}
	if want := start.Add(2 * hour).UnixMilli(); lo != want {
		t.Errorf("history begins at %d, want %d", lo, want)
	}
	if want := start.Add(5 * hour).UnixMilli(); hi != want {
		t.Errorf("history ends at %d, want %d", hi, want)
	}
}

// TestFourWeeksHoldTheWholeStory wants every state that a report can show.
func TestFourWeeksHoldTheWholeStory(t *testing.T) {
	f := newFleet(t, fleet.Config{Seed: 1, GPUs: 350})
	var sum usage.Sums
	var unobserved int64
	kinds := map[usage.EventKind]int{}
	shared, swapped := 0, 0
	for _, s := range history(t, f, start, start.Add(28*24*hour)) {
		if strings.HasPrefix(s.Batch.Node.Name, "aws-use1-h100") && s.Batch.GPUs[0].Model == "H200" {
			swapped++
		}
		for i, r := range s.Batch.Records {
			sum.Add(r.Sums)
			if r.Reason == "driver_hang" {
				unobserved++
			}
			if i > 0 && s.Batch.Records[i-1].GPU == r.GPU && s.Batch.Records[i-1].StartMs == r.StartMs {
				shared++
			}
		}
		for _, e := range s.Batch.Events {
			kinds[e.Kind]++
		}
	}
	for name, v := range map[string]int64{
		"unhealthy": sum.UnhealthyMs, "unallocated": sum.UnallocatedMs, "idle": sum.IdleMs, "unmeasured": sum.UnmeasuredMs,
		"busy": sum.BusyMs, "SM active": sum.SMActiveMs, "energy": sum.EnergyMJ, "hung": unobserved, "shared": int64(shared), "substitute": int64(swapped),
		"xid": int64(kinds[usage.EventXid]), "goodbye": int64(kinds[usage.EventGoodbye]), "agent start": int64(kinds[usage.EventAgentStart]),
	} {
		if v <= 0 {
			t.Errorf("four weeks hold no %s", name)
		}
	}
	if share := float64(sum.BusyMs) / float64(sum.ObservedMs()); share < 0.3 || share > 0.8 {
		t.Errorf("busy share of observed time is %.2f, want between 0.3 and 0.8", share)
	}
}

func TestReplacedGPUSaysGoodbyeAndHasASuccessor(t *testing.T) {
	f := newFleet(t, fleet.Config{Seed: 1, GPUs: 1})
	all := history(t, f, start, start.Add(60*24*hour))
	spans := bounds(all)
	n := 0
	for _, e := range events(all) {
		if e.Kind != usage.EventGoodbye {
			continue
		}
		n++
		if last := spans[e.GPU][1]; last != e.AtMs {
			t.Errorf("%s said goodbye at %d and was last seen at %d", e.GPU, e.AtMs, last)
		}
		if !slices.ContainsFunc(all, func(s usage.Sealed) bool {
			return slices.ContainsFunc(s.Batch.Records, func(r usage.Record) bool { return r.StartMs == e.AtMs && spans[r.GPU][0] == e.AtMs })
		}) {
			t.Errorf("no GPU began when %s said goodbye", e.GPU)
		}
	}
	if n < 10 {
		t.Errorf("%d goodbyes in 60 days, want each trouble twice", n)
	}
}

func TestContractedFollowsTheSize(t *testing.T) {
	for _, gpus := range []int{1, 40, 350, 3000} {
		f := newFleet(t, fleet.Config{GPUs: gpus})
		first, full, ok := f.Contracted("azure/h100-training")
		if !ok || first <= 0 || full <= first {
			t.Errorf("%d GPUs: azure/h100-training is contracted as %d, then %d (known: %t)", gpus, first, full, ok)
		}
		if _, full, _ := f.Contracted("google/a100-serving"); full <= 0 {
			t.Errorf("%d GPUs: google/a100-serving is contracted as %d", gpus, full)
		}
		if got := f.GPUs(); gpus >= 350 && (got < gpus*9/10 || got > gpus*11/10) {
			t.Errorf("a fleet of about %d GPUs has %d", gpus, got)
		}
	}
	f := newFleet(t, fleet.Config{})
	for _, name := range []string{"aws/h100-elsewhere", "nowhere/none"} {
		if _, _, ok := f.Contracted(name); ok {
			t.Errorf("%s is contracted", name)
		}
	}
}

func TestNewRefusesWhatMakesNoSense(t *testing.T) {
	for _, cfg := range []fleet.Config{{GPUs: -1, Start: start}, {GPUs: 1 << 30, Start: start}, {}} {
		if _, err := fleet.New(cfg); err == nil {
			t.Errorf("New(%+v) gave no error", cfg)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/sim/fleet"
	"github.com/gpumeter/gpumeter/usage"
)

// simulate runs `gpumeter simulate` and returns what it printed.
func simulate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs(append([]string{"simulate"}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestSimulateFindsTheReportExact lets more than half of all requests go
// wrong, and has an outage.
func TestSimulateFindsTheReportExact(t *testing.T) {
	out, err := simulate(t, "--gpus", "60", "--clouds", "3", "--minutes", "20", "--outage", "6m", "--faults", "60", "--data", t.TempDir())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"says exactly this", "aws", "azure", "google", "agents came back at once", "cost     simulation and collector together "} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	for _, not := range []string{"oracle", "said:", " 0 requests cut off", " 0 answers lost", " 0 requests late"} {
		if strings.Contains(out, not) {
			t.Errorf("output has %q:\n%s", not, out)
		}
	}
}

// crooked is a store that makes one record a millisecond busier than it is.
type crooked struct {
	store.Store
	done atomic.Bool
}

func (c *crooked) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	batches = slices.Clone(batches)
	for i := range batches {
		b := &batches[i].Batch
		b.Records = slices.Clone(b.Records)
		for j := range b.Records {
			if r := &b.Records[j]; r.IdleMs > 0 && c.done.CompareAndSwap(false, true) {
				r.IdleMs--
				r.BusyMs++
			}
		}
	}
	return c.Store.Append(ctx, batches)
}

// TestSimulateFindsAMillisecondWrong sends to a collector that is not honest.
func TestSimulateFindsAMillisecondWrong(t *testing.T) {
	st := &crooked{Store: storetest.NewModel()}
	l, err := openLine(t.Context(), st, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	out, err := simulate(t, "--gpus", "10", "--minutes", "2", "--url", l.url)
	if err == nil || !strings.Contains(err.Error(), "differs from the truth in 2 figures") || strings.Contains(out, "exactly") {
		t.Errorf("error %v, output:\n%s", err, out)
	}
	if !st.done.Load() {
		t.Error("the store had nothing to change: the test does not test")
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

// TestSimulateIsStoppedByContracts has no exact truth to compare with.
func TestSimulateIsStoppedByContracts(t *testing.T) {
	ln, err := collector.Listen(t.Context(), collector.Address{Addr: "127.0.0.1:0"}, collector.Tokens{})
	if err != nil {
		t.Fatal(err)
	}
	book, err := collector.OpenBook("../../examples/contracts.yaml", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l := newLine(t.Context(), collector.New(collector.Config{
		Store: storetest.NewModel(), Book: book, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}), ln)
	if out, err := simulate(t, "--gpus", "10", "--minutes", "2", "--url", l.url); err == nil || !strings.Contains(err.Error(), "has contracts") {
		t.Errorf("error %v, output:\n%s", err, out)
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

func TestSimulateRefusesWhatMakesNoSense(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		_, err := simulate(t, args...)
		if err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != 2 {
			t.Errorf("%v: error %v, want %q and exit code 2", args, err, want)
		}
	}
	f("not whole minutes of the span", "--minutes", "5", "--outage", "6m")
	f("not whole minutes of the span", "--minutes", "5", "--outage", "90s")
	f("not between a minute and 400 days", "--days", "401")
	f("cannot go wrong", "--faults", "101")
	f("is negative", "--rate", "-1")
	f("connections", "--connections", "0")
	f("none of the others can be", "--live", "--rate", "100")
	f("none of the others can be", "--live", "--outage", "1m")
	f("not between 1 and 5", "--clouds", "6")
	f("not between 1 and 1000000", "--gpus", "1000001")
}

// TestTruthCountsEachRecordOnce adds up what it is told, and what others were.
func TestTruthCountsEachRecordOnce(t *testing.T) {
	b := usage.Batch{Node: usage.Node{Cloud: usage.Cloud{Provider: "aws"}}, Records: []usage.Record{
		{Sums: usage.Sums{UnhealthyMs: 1, UnallocatedMs: 2, IdleMs: 3, UnmeasuredMs: 4, BusyMs: 5}}, {Sums: usage.Sums{BusyMs: 10}},
	}}
	var a, all truth
	a.add(&b)
	all.merge(&a)
	all.merge(&a)
	want := contract.Time{contract.Unhealthy: 2, contract.Unallocated: 4, contract.Idle: 6, contract.Unmeasured: 8, contract.Busy: 30}
	if got := *all.of("aws"); got != want || all.records != 4 || all.batches != 2 {
		t.Errorf("truth = %+v, %v; want %v", all, got, want)
	}
}

// TestSimulateLiveSendsEachMinuteInTheNext begins late, so that all is due and
// sent at once.
func TestSimulateLiveSendsEachMinuteInTheNext(t *testing.T) {
	a := simulateArgs{GPUs: 40, Minutes: 2, Connections: 4, Live: true}
	now := time.Now()
	from, to := a.times(now.Add(-4*time.Minute + 3*time.Second))
	if want := now.UTC().Add(-4*time.Minute + 3*time.Second).Truncate(time.Minute).Add(time.Minute); !from.Equal(want) || to.Sub(from) != 2*time.Minute {
		t.Fatalf("span = %s to %s, want two minutes from %s", from, to, want)
	}
	l, err := openLine(t.Context(), storetest.NewModel(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	a.URL = l.url
	f, err := fleet.New(fleet.Config{GPUs: a.GPUs, Start: from.Add(-storyBefore)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSimulation(&a, f, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if want := from.Add(time.Minute); !s.begin().Equal(want) {
		t.Errorf("sending begins at %s, want %s, when the first minute is over", s.begin(), want)
	}
	before, err := a.costs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.send(t.Context(), func(float64) {}); err != nil {
		t.Fatal(err)
	}
	after, err := a.costs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	s.print(&out)
	after.print(&out, before)
	if s.truth.batches != int64(2*len(s.agents)) || len(s.marks.latencies) < 2*len(s.agents) {
		t.Errorf("%d batches in %d answers of %d agents in two minutes", s.truth.batches, len(s.marks.latencies), len(s.agents))
	}
	for _, want := range []string{"live     each minute", "cost     collector 0.", "; simulation "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, &out)
		}
	}
}

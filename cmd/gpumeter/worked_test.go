package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// The worked example: 24 H100 in three nodes for an hour at $2.50. The first
// node loses a GPU at half past, the second is silent for ten minutes, the
// third arrives a quarter late.
var workedHour = time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC)

const workedContract = `
contracts:
  - id: worked
    provider: aws
    currency: USD
    billing_timezone: UTC
    tranches:
      - id: h100
        model: H100
        scope: {accounts: ["111111111111"], regions: [us-east-1]}
        start: 2026-10-01T10:00:00Z
        end: 2026-10-01T11:00:00Z
        gpus: 24
        per_gpu_hour: "2.50"
`

// workedNode is one node of the worked example, as its driver would show it.
type workedNode struct {
	name     string
	from, to int // minutes in which its agent runs
	silent   [2]int
	xidAt    int // minute at which GPU 0 falls off the bus
	// look says what GPU g does in a minute: held, and busy for the whole of it.
	look func(g, minute int) (held, busy bool)
}

func TestWorkedExampleFromFramesToReport(t *testing.T) {
	always := func(int, int) (bool, bool) { return true, true }
	nodes := []workedNode{
		{name: "n1", to: 60, xidAt: 30, look: always},
		{name: "n2", to: 60, silent: [2]int{40, 50}, look: func(g, _ int) (bool, bool) { return true, g < 4 }},
		{name: "n3", from: 15, to: 60, look: func(_, m int) (bool, bool) { return m >= 30, m >= 30 }},
	}
	ctx, dir := t.Context(), t.TempDir()
	st, err := duckdb.Open(ctx, filepath.Join(dir, "data"), duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := func() time.Time { return workedHour.Add(2 * time.Hour) }
	l, err := openLine(ctx, st, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		n.run(ctx, t, l, dir)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	contracts, err := contractfile.Parse("worked.yaml", bytes.NewReader([]byte(workedContract)))
	if err != nil {
		t.Fatal(err)
	}
	rep, err := collector.Report(ctx, st, contracts, collector.Ask{From: "2026-10-01T10:00:00Z", To: "2026-10-01T11:00:00Z"}, now())
	if err != nil {
		t.Fatal(err)
	}
	checkWorked(t, rep)
	checkWorkedHolders(ctx, t, st, contracts, now())
	var text, doc bytes.Buffer
	if err := report.Text(&text, rep, report.Options{Width: 100}); err != nil {
		t.Fatal(err)
	}
	golden(t, "worked.txt", text.Bytes())
	if err := report.JSON(&doc, rep); err != nil {
		t.Fatal(err)
	}
	golden(t, "worked.json", doc.Bytes())
}

// checkWorked holds the example's figures, which were worked out by hand.
func checkWorked(t *testing.T, rep contract.Report) {
	t.Helper()
	got := rep.Contracts[0].Total
	for _, c := range []struct {
		bucket contract.Bucket
		s      int64
		money  contract.Money
	}{
		{contract.Undelivered, 7_200, 5_000_000},
		{contract.Unhealthy, 1_800, 1_250_000},
		{contract.Unobserved, 4_800, 3_333_333},
		{contract.Unallocated, 7_200, 5_000_000},
		{contract.Idle, 12_000, 8_333_333},
		{contract.Unmeasured, 0, 0},
		{contract.Busy, 53_400, 37_083_334},
	} {
		if got.Buckets[c.bucket] != c.s*1000 {
			t.Errorf("%s = %d ms, want %d", c.bucket, got.Buckets[c.bucket], c.s*1000)
		}
		if got.Cost.Buckets[c.bucket] != c.money {
			t.Errorf("%s costs %s, want %s", c.bucket, got.Cost.Buckets[c.bucket], c.money)
		}
	}
	if got.ContractedMs != 86_400_000 || got.Buckets.Total() != 86_400_000 {
		t.Errorf("contracted %d, buckets %d ms, want 86400000 of each", got.ContractedMs, got.Buckets.Total())
	}
	if got.Cost.Contracted != 60_000_000 || got.Cost.Buckets.Total() != 60_000_000 {
		t.Errorf("cost %s, buckets %s, want 60.000000 of each", got.Cost.Contracted, got.Cost.Buckets.Total())
	}
	u := got.Utilisation
	if s := fmt.Sprintf("%.2f [%.2f, %.2f]", 100*u.Busy, 100*u.Lower, 100*u.Upper); s != "61.81 [61.81, 67.36]" {
		t.Errorf("utilisation = %s, want 61.81 [61.81, 67.36]", s)
	}
}

// checkWorkedHolders holds that held time is its holder's, from the frames on.
func checkWorkedHolders(ctx context.Context, t *testing.T, st store.Store, contracts []contract.Contract, now time.Time) {
	t.Helper()
	ask := collector.Ask{From: "2026-10-01T10:00:00Z", To: "2026-10-01T11:00:00Z", By: contract.ByHolder}
	rep, err := collector.Report(ctx, st, contracts, ask, now)
	if err != nil {
		t.Fatal(err)
	}
	groups := rep.Contracts[0].Total.Groups
	if len(groups) != 2 || groups[0].Group != "user train" || groups[1].Kind != contract.OfUnattributed {
		t.Fatalf("groups are %+v, want those of user train and what is unattributed", groups)
	}
	train, rest := groups[0], groups[1]
	if train.Buckets[contract.Idle] != 12_000_000 || train.Buckets[contract.Busy] != 53_400_000 || train.HeldMs() != 65_400_000 {
		t.Errorf("user train had %v, want all that was idle and busy", train.Buckets)
	}
	if rest.Buckets[contract.Undelivered] != 7_200_000 || rest.Buckets[contract.Unobserved] != 4_800_000 || rest.Buckets[contract.Unallocated] != 7_200_000 {
		t.Errorf("unattributed is %v", rest.Buckets)
	}
	if sum := train.Buckets.Total() + rest.Buckets.Total(); sum != 86_400_000 || train.Cost.Contracted+rest.Cost.Contracted != 60_000_000 {
		t.Errorf("groups are %d GPU-ms for %s and %s", sum, train.Cost.Contracted, rest.Cost.Contracted)
	}
}

// run plays the node's hour. A silence is an agent that was killed: its open
// window is lost, and it goes on from its spool.
func (n workedNode) run(ctx context.Context, t *testing.T, l *line, dir string) {
	t.Helper()
	s := n.open(ctx, t, l, dir)
	for sec := n.from * 60; sec <= n.to*60; sec += 10 {
		minute := sec / 60
		if n.silent[1] > 0 && minute >= n.silent[0] && sec < n.silent[1]*60 {
			if sec == n.silent[0]*60 {
				if err := s.observe(ctx, n.frame(sec)); err != nil {
					t.Fatal(err)
				}
				if err := s.wait(ctx, 0); err != nil {
					t.Fatal(err)
				}
				if err := s.kill(); err != nil {
					t.Fatal(err)
				}
				s = n.open(ctx, t, l, dir)
			}
			continue
		}
		if err := s.observe(ctx, n.frame(sec)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish(ctx); err != nil {
		t.Fatal(err)
	}
}

func (n workedNode) open(ctx context.Context, t *testing.T, l *line, dir string) *station {
	t.Helper()
	s, err := l.openStation(ctx, filepath.Join(dir, n.name), usage.Node{
		Name: n.name, Cloud: usage.Cloud{Provider: "aws", Account: "111111111111", Region: "us-east-1"},
	}, meter.Config{Interval: 10 * time.Second, Holders: workedHolders, Basis: usage.BasisProcess, BootID: "b"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func workedHolders(l metric.Look) ([]usage.Holder, bool) {
	if len(l.Processes) == 0 {
		return nil, true
	}
	return []usage.Holder{{Basis: usage.BasisProcess, Kind: "user", Name: "train"}}, true
}

// frame is the look at a second of the hour. It speaks for the ten seconds
// before it.
func (n workedNode) frame(sec int) metric.Frame {
	at := time.Duration(sec)*time.Second + time.Hour
	f := metric.Frame{Boot: at, Wall: workedHour.Add(time.Duration(sec) * time.Second), Driver: metric.Driver{Up: true, Load: 1}}
	for g := range 8 {
		held, busy := n.look(g, (sec-10)/60)
		l := metric.Look{
			GPU:       metric.GPU{UUID: fmt.Sprintf("GPU-%s-%d", n.name, g), Index: g, Name: "NVIDIA H100 80GB HBM3"},
			Condition: metric.Good, Since: at - 10*time.Second, At: at, Util: metric.KnownShare(0), ProcessesKnown: true,
		}
		if sec == n.from*60 || n.silent[1] > 0 && sec == n.silent[1]*60 {
			l.Since = at // the first look of an agent speaks for no time yet
		}
		if held {
			l.Processes = []metric.Process{{PID: 1}}
		}
		if busy {
			l.Util = metric.KnownShare(1)
		}
		f.Looks = append(f.Looks, l)
	}
	if n.xidAt > 0 && sec == n.xidAt*60 {
		f.Xids = []metric.Xid{{UUID: "GPU-" + n.name + "-0", Code: 79, At: at}}
	}
	return f
}

// golden compares with a file in testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateExamples {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what was printed; look at the difference, then use -update:\n%s", path, got)
	}
}

// TestReplayGivesTheTruthOfARecordedDay compares with exact arithmetic over a
// recording that is not part of the repository.
func TestReplayGivesTheTruthOfARecordedDay(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "gpu-duty-cycle-2026")
	raw, err := os.ReadFile(filepath.Join(folder, "truth.json"))
	if err != nil {
		t.Skipf("the recorded day is not here, so it is not compared with: %v", err)
	}
	var truth struct {
		GPUs     int     `json:"gpus"`
		Observed float64 `json:"observed_gpu_seconds"`
		Busy     float64 `json:"busy_gpu_seconds"`
	}
	if err := json.Unmarshal(raw, &truth); err != nil {
		t.Fatal(err)
	}
	a := replayArgs{Trace: filepath.Join(folder, "trace.csv.gz"), Data: t.TempDir(), Window: time.Minute}
	got, err := replay(t.Context(), a, newProgress(&bytes.Buffer{}, time.Now))
	if err != nil {
		t.Fatal(err)
	}
	if got.GPUsSampled != truth.GPUs {
		t.Errorf("%d GPUs sampled, want %d", got.GPUsSampled, truth.GPUs)
	}
	for name, x := range map[string][2]float64{
		"observed": {got.ObservedGPUSeconds, truth.Observed}, "busy": {got.BusyGPUSeconds, truth.Busy},
	} {
		if d := x[0]/x[1] - 1; d > 0.001 || d < -0.001 {
			t.Errorf("%s = %.3f GPU-s, want %.3f within 0.1 %%", name, x[0], x[1])
		}
		t.Logf("%s = %.3f GPU-s, truth %.3f", name, x[0], x[1])
	}
}

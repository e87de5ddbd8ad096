package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
)

// kept is a store that outlives the demo that closes it.
type kept struct{ store.Store }

func (kept) Close() error { return nil }

// untilFarewell ends a demo when it has said all it has to say.
type untilFarewell struct {
	bytes.Buffer
	end context.CancelFunc
}

func (w *untilFarewell) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.String(), "--fresh starts anew") {
		w.end()
	}
	return n, err
}

// runDemo runs a demo of a short history in dir, without agents, until it
// waits for Ctrl-C.
func runDemo(t *testing.T, dir string, st store.Store, now time.Time, args demoArgs) (out, errOut string, err error) {
	t.Helper()
	return runDemoOf(t, shortHistory, dir, st, now, args)
}

func runDemoOf(t *testing.T, history time.Duration, dir string, st store.Store, now time.Time, args demoArgs) (out, errOut string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	w := &untilFarewell{end: cancel}
	var e bytes.Buffer
	args.Data, args.Listen, args.NoAgents = dir, "127.0.0.1:0", true
	if args.given == nil {
		args.given = func(string) bool { return false }
	}
	d := &demo{
		args: args, dir: dir, now: func() time.Time { return now }, out: w, errOut: &e, history: history,
		openStore: func(context.Context, string, *slog.Logger) (store.Store, error) { return kept{st}, nil },
	}
	err = d.run(ctx)
	return w.String(), e.String(), err
}

func counts(t *testing.T, st store.Store) store.Counts {
	t.Helper()
	c, err := st.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDemoPrintsAReportAndGoesOnAtTheNextStart(t *testing.T) {
	dir, st := t.TempDir(), storetest.NewModel()
	args := demoArgs{Seed: 3, GPUs: 1}
	out, errOut, err := runDemo(t, dir, st, demoNow, args)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"example-aws", "example-azure", "example-google", "example-oracle", "example-coreweave", "EXAMPLE (simulated)", "page       http://127.0.0.1:", "is simulated"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output does not contain %q", want)
		}
	}
	if !strings.Contains(errOut, "writing the fleet's history") || strings.Contains(errOut, "\x1b") {
		t.Errorf("progress is not plain lines: %q", errOut)
	}
	first := counts(t, st)
	if _, _, err := runDemo(t, dir, st, demoNow, args); err != nil {
		t.Fatal(err)
	}
	if again := counts(t, st); again != first {
		t.Errorf("a second start at the same time changed %+v to %+v", first, again)
	}
	if _, _, err := runDemo(t, dir, st, demoNow.Add(10*time.Minute), args); err != nil {
		t.Fatal(err)
	}
	later := counts(t, st)
	if later.Records <= first.Records || later.Units != first.Units || later.Conflicts+later.Quarantined > 0 {
		t.Errorf("ten minutes later the store holds %+v, before %+v", later, first)
	}
}

func TestDemoReportTellsEveryStory(t *testing.T) {
	dir, st := t.TempDir(), storetest.NewModel()
	if _, _, err := runDemoOf(t, demoHistory, dir, st, demoNow, demoArgs{Seed: 1, GPUs: 1}); err != nil {
		t.Fatal(err)
	}
	contracts, err := contractfile.Load(filepath.Join(dir, demoContractsFile))
	if err != nil {
		t.Fatal(err)
	}
	rep, err := collector.Report(t.Context(), st, contracts, collector.Ask{Since: 27 * 24 * time.Hour}, demoNow)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]contract.Line{}
	var all contract.Time
	for _, s := range rep.Contracts {
		all.Add(s.Total.Buckets)
		for _, l := range s.Tranches {
			lines[s.Contract+"/"+l.Tranche] = l
		}
	}
	for b, ms := range all {
		if ms == 0 {
			t.Errorf("nothing is %s", contract.Bucket(b))
		}
	}
	has := func(tranche string, b contract.Bucket) {
		t.Helper()
		if lines[tranche].Buckets[b] == 0 {
			t.Errorf("nothing of %s is %s", tranche, b)
		}
	}
	has("example-azure/h100-training", contract.Undelivered)
	has("example-azure/a100-reserve", contract.Unallocated)
	has("example-aws/a100-research", contract.Idle)
	has("example-aws/h100-training", contract.Unhealthy)
	has("example-oracle/h100-serving", contract.Unobserved)
	has("example-oracle/h100-serving", contract.Unmeasured)
	for name, l := range lines {
		if (l.OverageMs > 0) != (name == "example-google/a100-serving") {
			t.Errorf("%s has an overage of %d GPU-ms", name, l.OverageMs)
		}
		if late := name == "example-azure/h100-training" || name == "example-google/h200-training"; !late && l.Buckets[contract.Undelivered] > 0 {
			t.Errorf("%s lacks %d GPU-ms: the fleet does not fit the contracts", name, l.Buckets[contract.Undelivered])
		}
	}
	if len(rep.Uncontracted) != 1 || rep.Uncontracted[0].Region != "eu-north-1" {
		t.Errorf("uncontracted is %+v, want the node in eu-north-1 alone", rep.Uncontracted)
	}
}

func TestDemoRefusesAFolderBegunOtherwise(t *testing.T) {
	dir, st := t.TempDir(), storetest.NewModel()
	if _, _, err := runDemo(t, dir, st, demoNow, demoArgs{Seed: 1, GPUs: 1}); err != nil {
		t.Fatal(err)
	}
	given := func(flag string) bool { return flag == "seed" }
	_, _, err := runDemo(t, dir, st, demoNow, demoArgs{Seed: 2, GPUs: 1, given: given})
	if err == nil || !strings.Contains(err.Error(), "--fresh") || exitCode(err) != 2 {
		t.Errorf("another seed gave %v (exit %d), want an error of usage that names --fresh", err, exitCode(err))
	}
	if _, _, err := runDemo(t, dir, storetest.NewModel(), demoNow, demoArgs{Seed: 2, GPUs: 1, Fresh: true, given: given}); err != nil {
		t.Errorf("--fresh with another seed: %v", err)
	}
}

func TestFreshSparesWhatIsNotADemos(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, demoContractsFile)
	if err := os.WriteFile(mine, []byte("contracts: []\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := runDemo(t, dir, storetest.NewModel(), demoNow, demoArgs{Seed: 1, GPUs: 1, Fresh: true})
	if err == nil || !strings.Contains(err.Error(), "not a demo's") {
		t.Errorf("--fresh on somebody's folder gave %v", err)
	}
	if missingFile(mine) {
		t.Error("--fresh removed somebody's contract file")
	}
}

func TestSecondDemoIsToldOfTheFirst(t *testing.T) {
	dir := t.TempDir()
	lock, err := holdDemo(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	_, _, err = runDemo(t, dir, storetest.NewModel(), demoNow, demoArgs{Seed: 1, GPUs: 1})
	if err == nil || !strings.Contains(err.Error(), "another demo") {
		t.Errorf("a second demo in one folder gave %v", err)
	}
}

func TestContractsOfThisMachineAreValid(t *testing.T) {
	at := demoNow.UnixMilli()
	text := machineContracts([]contract.Presence{
		{GPU: "GPU-1", Model: "H100", Node: "box", StartMs: at}, {GPU: "GPU-2", Model: "H100", Node: "box", StartMs: at},
		{GPU: "GPU-2", Model: "H100", Node: "box", StartMs: at + 1}, {GPU: "GPU-3", Model: "GeForce-RTX-3060", Node: "box", StartMs: at},
	})
	contracts, err := contractfile.Parse("contracts.yaml", bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	tr := contracts[0].Tranches
	if len(tr) != 2 || tr[0].Steps[0].GPUs != 1 || tr[1].Steps[0].GPUs != 2 || len(tr[1].Rates) != 0 {
		t.Errorf("tranches are %+v, want one GeForce and two H100 without a price", tr)
	}
}

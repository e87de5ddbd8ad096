package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/cmd/internal/file"
	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

// machineWindow is the window of an agent on real GPUs: the shortest, because
// somebody waits for the first one.
const machineWindow = "10s"

// machineContracts writes a contract over the GPUs that an agent on this
// machine has reported. There is no price in it: nobody told us one.
func machineContracts(presences []contract.Presence) []byte {
	type tranche struct {
		model, node string
		gpus        int
	}
	var list []tranche
	from := presences[0].StartMs
	seen := map[string]bool{}
	for _, p := range presences {
		from = min(from, p.StartMs)
		if seen[p.GPU] {
			continue
		}
		seen[p.GPU] = true
		i := slices.IndexFunc(list, func(t tranche) bool { return t.model == p.Model && t.node == p.Node })
		if i < 0 {
			i = len(list)
			list = append(list, tranche{model: p.Model, node: p.Node})
		}
		list[i].gpus++
	}
	slices.SortFunc(list, func(a, b tranche) int { return cmp.Compare(a.model, b.model) })
	start := time.UnixMilli(from).UTC().Truncate(5 * time.Minute)
	var b strings.Builder
	fmt.Fprintf(&b, `# The GPUs of this machine, as gpumeter demo found them at its first start.
# Edit it: the collector reads it again by itself. docs/contracts.md explains
# the format. A contract begins at a whole 5 minutes, so it began a little before
# the agent did: what lies between shows as undelivered.
contracts:
  - id: this-machine
    title: EXAMPLE the GPUs of this machine, without a price
    provider: unknown
    currency: USD
    billing_timezone: UTC
    tranches:
`)
	for _, t := range list {
		fmt.Fprintf(&b, `      - id: %q
        model: %q
        scope: {pin: [%q]} # the node's name
        start: %s
        end: %s
        gpus: %d
        # per_gpu_hour: "2.50"
`, strings.ToLower(t.model), t.model, t.node, start.Format(time.RFC3339), start.AddDate(1, 0, 0).Format(time.RFC3339), t.gpus)
	}
	return []byte(b.String())
}

// meterMachine meters the GPUs of this machine: one real agent on the real
// driver, no history, nothing simulated.
func (d *demo) meterMachine(ctx context.Context) error {
	if err := d.startAgent(ctx, demoAgent{
		name: "this-machine", folder: filepath.Join(d.dir, demoAgentsFolder, "this-machine"),
		args: []string{"--collector", d.server.url, "--listen", "127.0.0.1:0", "--window", machineWindow},
	}); err != nil {
		return err
	}
	if name := filepath.Join(d.dir, demoContractsFile); missingFile(name) {
		d.progress.begin("waiting for the first window")
		found, err := d.firstPresences(ctx)
		if err != nil {
			return err
		}
		if err := file.Replace(name, machineContracts(found), 0o600); err != nil {
			return err
		}
		d.progress.end(fmt.Sprintf("%d GPUs", len(found)))
	}
	d.progress.begin("waiting for the first report")
	if err := d.firstReport(ctx); err != nil {
		return err
	}
	d.farewell(`This machine's own GPUs; nothing is simulated. The contract is an example: it
began at a whole 5 minutes before the first look, and that time is undelivered.`)
	<-ctx.Done()
	return nil
}

// firstPresences waits until the agent has written of some GPU.
func (d *demo) firstPresences(ctx context.Context) ([]contract.Presence, error) {
	told := false
	for begin := d.now(); ; {
		ps, err := d.server.store.Presence(ctx)
		if err != nil || len(ps) > 0 {
			return ps, err
		}
		if d.now().Sub(begin) > time.Minute && !told {
			told = true
			fmt.Fprintf(d.errOut, "\nno GPU after a minute: %s says why; gpumeter demo --simulate shows a simulated fleet instead\n",
				filepath.Join(d.dir, demoAgentsFolder, "this-machine", "agent.log"))
		}
		if !sleepUntil(ctx, d.now().Add(time.Second), d.now) {
			return nil, ctx.Err()
		}
	}
}

// firstReport prints the first report that there is: a collector reports up
// to two minutes ago.
func (d *demo) firstReport(ctx context.Context) error {
	for {
		rep, err := d.server.Report(ctx, collector.Ask{Since: 24 * time.Hour})
		if err == nil {
			d.progress.end("done")
			return d.print(rep)
		}
		if !errors.Is(err, collector.ErrNoData) {
			return err
		}
		if !sleepUntil(ctx, d.now().Add(5*time.Second), d.now) {
			return ctx.Err()
		}
	}
}

// hasDriver reports whether this machine has NVIDIA GPUs and their driver's
// library.
func hasDriver() bool {
	if missingFile("/dev/nvidia0") || missingFile("/dev/nvidiactl") {
		return false
	}
	for _, pattern := range []string{
		"/usr/lib/*-linux-gnu/libnvidia-ml.so.1", "/usr/lib64/libnvidia-ml.so.1", "/usr/lib/libnvidia-ml.so.1",
		"/usr/local/nvidia/lib64/libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1", "/run/opengl-driver/lib/libnvidia-ml.so.1",
	} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// print writes a report to the output.
func (d *demo) print(r contract.Report) error {
	if err := report.Text(d.out, r, textOptions(d.out)); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	return nil
}

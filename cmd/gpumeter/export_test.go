package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/dashboards"
)

// runExport runs a command line and returns what it printed.
func runExport(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd, out := newRoot(), &bytes.Buffer{}
	cmd.SetOut(out)
	cmd.SetErr(out)
	cmd.SetArgs(append([]string{"export"}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestExportWritesWhatIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	if out, err := runExport(t, "dashboards", "--datasource", "thanos-1", "--out", dir); err != nil || !strings.Contains(out, "8 files in "+dir) {
		t.Errorf("printed %q, %v", out, err)
	}
	if out, err := runExport(t, "rules", "--runbooks", "https://wiki.example/x/", "--out", dir); err != nil || !strings.Contains(out, " files in "+dir) {
		t.Errorf("printed %q, %v", out, err)
	}
	for name, want := range map[string]string{
		"gpumeter-node.json":          `"value": "thanos-1"`,
		"kubernetes/configmaps.yaml":  `grafana_dashboard: "1"`,
		"alerts/rules.yaml":           "runbook_url: https://wiki.example/x/GPUMeterGPULost.md",
		"alerts/prometheusrule.yaml":  "kind: PrometheusRule",
		"runbooks/GPUMeterGPULost.md": "## What to do",
	} {
		if body, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s lacks %q (%v)", name, want, err)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"dashboards":                  `required flag(s) "out" not set`,
		"rules --out x y":             `"y" is not an argument of gpumeter export rules`,
		"rules --out " + file + "/in": "write alerts/rules.yaml: ",
	} {
		if _, err := runExport(t, strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("export %s: %v, want %q", line, err, want)
		}
	}
}

// A command that an alert tells people to type is one of ours, with flags that
// it has.
func TestCommandsOfAlertsExist(t *testing.T) {
	ours := 0
	for _, a := range dashboards.AllAlerts() {
		line, _, _ := strings.Cut(a.Command, " | ")
		words := strings.Fields(strings.NewReplacer("{{ $labels.", "", " }}", "").Replace(line))
		if words[0] != "gpumeter" {
			continue
		}
		ours++
		cmd, rest, err := newRoot().Find(words[1:])
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil && cmd.Args != nil {
			err = cmd.Args(cmd, cmd.Flags().Args())
		}
		if err != nil || !cmd.Runnable() {
			t.Errorf("%s: %q: %v", a.ID(), a.Command, err)
		}
	}
	if ours < 8 {
		t.Errorf("%d commands of gpumeter were looked at: what finds them is wrong", ours)
	}
}

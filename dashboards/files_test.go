package dashboards_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gpumeter/gpumeter/dashboards"
)

var update = flag.Bool("update", false, "write the files anew")

// files are all files that stand beside this package.
func files(t *testing.T) []dashboards.File {
	t.Helper()
	boards, err := dashboards.DashboardFiles("")
	if err != nil {
		t.Fatal(err)
	}
	for i := range boards {
		boards[i].Name = "grafana/" + boards[i].Name
	}
	rules, err := dashboards.RuleFiles(dashboards.DefaultRunbooks)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(boards, rules)
}

// The files that are checked in are what the tables say, and there are no others.
func TestFiles(t *testing.T) {
	want := map[string]bool{}
	for _, f := range files(t) {
		name := filepath.FromSlash(f.Name)
		want[name] = true
		if *update {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, f.Body, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(got, f.Body) {
			t.Errorf("%s is not what the tables say (%v): run make dashboards", f.Name, err)
		}
	}
	for _, folder := range []string{"grafana", "alerts", "runbooks"} {
		err := filepath.WalkDir(folder, func(name string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !want[name] {
				t.Errorf("%s is in no table: delete it", name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A ConfigMap holds its dashboard to the byte, and kubectl can note it.
func TestConfigMapsHoldTheDashboards(t *testing.T) {
	files, err := dashboards.DashboardFiles("")
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{}
	for _, f := range files {
		bodies[f.Name] = string(f.Body)
	}
	d := yaml.NewDecoder(strings.NewReader(bodies["kubernetes/configmaps.yaml"]))
	n := 0
	for ; ; n++ {
		var m struct {
			Metadata struct{ Labels map[string]string }
			Data     map[string]string
		}
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for name, body := range m.Data {
			if body != bodies[name] || len(body) > 250_000 || m.Metadata.Labels["grafana_dashboard"] != "1" {
				t.Errorf("%s in the ConfigMap: %d bytes, labels %v; the file has %d", name, len(body), m.Metadata.Labels, len(bodies[name]))
			}
		}
	}
	if n != len(dashboards.Boards()) {
		t.Errorf("%d ConfigMaps, want %d", n, len(dashboards.Boards()))
	}
}

// Everything that is shown says what it is.
func TestPanelsSayWhatTheyShow(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range dashboards.Boards() {
		if seen[b.UID] || b.About == "" {
			t.Errorf("dashboard %s: uid taken, or no description", b.UID)
		}
		seen[b.UID] = true
		for _, r := range b.Rows {
			for _, p := range r.Panels {
				name := b.UID + ": " + p.Title
				asks := p.Kind != dashboards.Text && p.Kind != dashboards.Alarms
				if p.About == "" || p.Title == "" || asks && (p.Unit == "" || len(p.Queries) == 0) {
					t.Errorf("%s lacks a title, a description, a unit or a query", name)
				}
				if p.Kind == dashboards.Table && len(p.Columns) < 2 {
					t.Errorf("%s is a table without columns", name)
				}
				for _, q := range p.Queries {
					if p.Kind == dashboards.Series && q.Legend == "" {
						t.Errorf("%s: a line has no legend", name)
					}
				}
			}
		}
	}
}

// An alert says who should do what, and its page answers four questions.
func TestAlertsAreActedOn(t *testing.T) {
	all := dashboards.AllAlerts()
	if len(all) < 20 || len(all) > 40 {
		t.Errorf("%d alerts, want 20 to 40", len(all))
	}
	seen := map[string]bool{}
	for _, a := range all {
		if seen[a.ID()] {
			t.Errorf("%s is there twice", a.ID())
		}
		seen[a.ID()] = true
		for what, text := range map[string]string{
			"severity": string(a.Severity), "action": string(a.Action), "audience": string(a.Audience), "summary": a.Summary, "description": a.Description,
			"command": a.Command, "meaning": a.Means, "how to see it": a.See, "what to do": a.Do, "what to claim": a.Claim,
		} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s has no %s", a.ID(), what)
			}
		}
		if n := strings.Count(a.Expr, "$threshold"); n == 0 {
			t.Errorf("%s has no threshold", a.ID())
		}
		for _, heading := range []string{"## What it means", "## How to see it", "## What to do", "## What to claim"} {
			if !strings.Contains(dashboards.Runbook(a.Name), heading) {
				t.Errorf("the runbook of %s lacks %q", a.Name, heading)
			}
		}
	}
}

// The series of a node that dies take its alerts with them: those on hardware
// go on until GPUMeterNodesSilent has come.
func TestHardwareAlertsOutliveTheirSeries(t *testing.T) {
	for _, a := range dashboards.Alerts()[0].Alerts {
		if !slices.Contains([]string{"15m", "30m", "1h", "1d"}, a.Keep) {
			t.Errorf("%s goes on for %q after its series vanish, want 15m or more", a.Name, a.Keep)
		}
	}
}

package exporters_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

var (
	now      = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	reading  = &metric.Desc{Name: "gpu.memory.used", Unit: metric.Bytes}
	integral = &metric.Desc{Name: "gpu.busy", Unit: metric.Seconds, Kind: metric.Counter}
	hosted   = &metric.Desc{Name: "host.load"}
)

// snapshot is a node of four GPUs: one that answers, one that is lost, one that
// hangs, and one that was lost before anybody knew it. The second and third have
// readings, as if they had been forgotten there.
func snapshot() exporters.Snapshot {
	s := exporters.Snapshot{
		Frame:   metric.Frame{Wall: now, Driver: metric.Driver{Up: true, GPUs: 4}, Nameless: []metric.Nameless{{Index: 3, Reason: metric.ReasonLost}}},
		Totals:  map[string][]metric.Reading{},
		Holders: map[string][]usage.Holder{"GPU-0": {{Basis: usage.BasisProcess, Kind: "user", Name: "alice"}, {Basis: usage.BasisProcess, Kind: "user", Name: "alice"}}},
		Host:    []metric.Reading{{Desc: hosted, Value: 2}},
		Xids:    []exporters.XidCount{{UUID: "GPU-1", Code: 79, Count: 3, Last: now, Severity: metric.Replace}, {Code: 20034, Count: 1, Last: now}},
	}
	for i := range 3 {
		uuid := fmt.Sprintf("GPU-%d", i)
		s.Frame.Looks = append(s.Frame.Looks, metric.Look{
			GPU: metric.GPU{UUID: uuid, Index: i}, Condition: metric.Good, Readings: []metric.Reading{{Desc: reading, Value: 1}},
		})
		s.Totals[uuid] = []metric.Reading{{Desc: integral, Value: 10}}
	}
	l := s.Frame.Looks
	l[1].Condition, l[1].Reason = metric.Lost, metric.ReasonLost
	l[2].Condition, l[2].Reason = metric.Unobserved, metric.ReasonHang
	return s
}

// lines writes points as "GPU-0 gpu.up{reason=…} 1", without infos' many labels.
func lines(s exporters.Snapshot) []string {
	var out []string
	for p := range exporters.Points(&s, now, exporters.DefaultMaxAge) {
		subject := "node"
		if p.GPU != nil {
			subject = p.GPU.UUID
		}
		if p.Instance != nil {
			subject += fmt.Sprintf("/%d", p.Instance.ID)
		}
		line := subject + " " + p.Desc.Key()
		if len(p.Extra) <= 2 {
			for _, l := range p.Extra {
				line += " " + l.Name + "=" + l.Value
			}
		}
		out = append(out, fmt.Sprintf("%s %g", line, p.Value))
	}
	return out
}

func TestSilentGPUKeepsIdentityStateAndIntegrals(t *testing.T) {
	want := []string{
		"node gpumeter.node.info 1", "node gpumeter.driver.up 1", "node gpumeter.driver.info driver= nvml= 1", "node gpumeter.driver.gpus 4",
		"node gpumeter.driver.nameless index=3 reason=gpu_lost 1", "node host.load 2",
		"node gpu.xid xid=20034 severity= 1", fmt.Sprintf("node gpu.xid.last.timestamp xid=20034 severity= %g", float64(now.Unix())),
		"GPU-0 gpu.info 1", "GPU-0 gpu.busy 10", "GPU-0 gpu.up 1", "GPU-0 gpu.memory.used 1", "GPU-0 gpu.holder.info 1", "GPU-0 gpu.holders 1",
		"GPU-1 gpu.info 1", "GPU-1 gpu.busy 10", "GPU-1 gpu.xid xid=79 severity=replace 3",
		fmt.Sprintf("GPU-1 gpu.xid.last.timestamp xid=79 severity=replace %g", float64(now.Unix())),
		"GPU-1 gpu.up 0", "GPU-1 gpu.lost reason=gpu_lost 1",
		"GPU-2 gpu.info 1", "GPU-2 gpu.busy 10", "GPU-2 gpu.up 0", "GPU-2 gpu.unobserved reason=driver_hang 1",
	}
	if diff := cmp.Diff(want, lines(snapshot())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOldFrameHasNoReadings(t *testing.T) {
	s := snapshot()
	s.Frame.Wall = now.Add(-exporters.DefaultMaxAge - time.Nanosecond)
	for _, line := range lines(s) {
		if line == "GPU-0 gpu.memory.used 1" || line == "GPU-0 gpu.up 1" {
			t.Errorf("an old frame says %q", line)
		}
	}
}

func TestGPUListedTwiceIsOne(t *testing.T) {
	s := snapshot()
	want := lines(s)
	s.Frame.Looks = append(s.Frame.Looks, s.Frame.Looks...)
	if diff := cmp.Diff(want, lines(s)); diff != "" {
		t.Errorf("(-once +twice):\n%s", diff)
	}
}

func TestInstanceIsASubjectOfItsOwn(t *testing.T) {
	s := snapshot()
	s.Frame.Looks = s.Frame.Looks[:1]
	s.Frame.Looks[0].MIG = true
	s.Frame.Looks[0].Instances = []metric.Instance{{ID: 7, Profile: "1g.10gb", Readings: []metric.Reading{{Desc: reading, Value: 5}},
		Compute: []metric.ComputeInstance{{ID: 0, UUID: "MIG-a"}, {ID: 1, UUID: "MIG-b"}}}}
	got := lines(s)
	want := []string{"GPU-0/7 gpu.instance.info 1", "GPU-0/7 gpu.instance.info 1", "GPU-0/7 gpu.memory.used 5"}
	if diff := cmp.Diff(want, got[len(got)-3:]); diff != "" {
		t.Errorf("the last points (-want +got):\n%s", diff)
	}
}

// TestPointsMayBeLeftEarly stops at every point in turn.
func TestPointsMayBeLeftEarly(t *testing.T) {
	s := snapshot()
	for n := range len(lines(s)) {
		seen := 0
		for range exporters.Points(&s, now, exporters.DefaultMaxAge) {
			if seen == n {
				break
			}
			seen++
		}
		if seen != n {
			t.Fatalf("left after %d points, want %d", seen, n)
		}
	}
}

func TestLabelsOfAPodStandInLabelsOfTheirOwn(t *testing.T) {
	s := snapshot()
	s.Holders["GPU-0"] = []usage.Holder{{Basis: usage.BasisKubelet, Kind: "pod", Name: "x", Labels: "acme.com/team=search,cost-centre=42,cost.centre=43"}}
	var got []metric.Label
	for p := range exporters.Points(&s, now, exporters.DefaultMaxAge) {
		if p.Desc == exporters.HolderInfo {
			got = append(got, p.Extra[5:]...)
		}
	}
	want := []metric.Label{{Name: "label_acme_com_team", Value: "search"}, {Name: "label_cost_centre", Value: "42"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

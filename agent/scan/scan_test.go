package scan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/scan"
	"github.com/gpumeter/gpumeter/metric"
)

var update = flag.Bool("update", false, "write the golden files")

const boot = 50 * time.Hour

// said is a reading of a metric with at most one label.
func said(name, label string, v float64) metric.Reading {
	d := &metric.Desc{Name: name}
	if label != "" {
		d.Labels = []metric.Label{{Name: "type", Value: label}}
	}
	return metric.Reading{Desc: d, Value: v}
}

// well is a GPU that nothing is wrong with.
func well(index int) metric.Look {
	return metric.Look{
		GPU: metric.GPU{
			UUID: fmt.Sprintf("GPU-%08d-0000-0000-0000-000000000000", index), Index: index, Name: "NVIDIA H100 80GB HBM3",
			PCI: fmt.Sprintf("00000000:%02X:00.0", 0x10+index), Serial: "165000000000" + fmt.Sprint(index),
		},
		Condition: metric.Good, Since: boot - time.Second, At: boot, Util: metric.KnownShare(0.9), SMActive: metric.KnownShare(0.5), ProcessesKnown: true,
		Readings: []metric.Reading{
			said("gpu.temperature", "", 61), said("gpu.power.usage", "", 512), said("gpu.memory.used", "", 40<<30), said("gpu.memory.total", "", 80<<30),
			said("gpu.ecc.mode", "", 1), said("gpu.ecc.errors", "volatile_uncorrected", 0), said("gpu.ecc.errors", "aggregate_uncorrected", 3),
			said("gpu.row_remap.failure", "", 0), said("gpu.row_remap.pending", "", 0), said("gpu.recovery.action", "", 0),
			said("gpu.nvlink.links", "", 18), said("gpu.nvlink.links.up", "", 18), said("gpu.fabric.state", "", 3), said("gpu.fabric.health.summary", "", 1),
			said("gpu.pcie.width", "", 16), said("gpu.pcie.width.max", "", 16), said("gpu.pcie.generation", "", 5), said("gpu.pcie.generation.max", "", 5),
			said("gpu.temperature.margin", "", 26), said("gpu.temperature.margin.limit", "slowdown", -2),
			said("gpu.persistence.mode", "", 1), said("gpu.vgpu.licensed", "", 0),
		},
	}
}

// but returns a look with other readings, in the place of those of their names.
func but(l metric.Look, rs ...metric.Reading) metric.Look {
	l.Readings = slices.Clone(l.Readings)
next:
	for _, r := range rs {
		for i := range l.Readings {
			if l.Readings[i].Desc.Key() == r.Desc.Key() {
				l.Readings[i] = r
				continue next
			}
		}
		l.Readings = append(l.Readings, r)
	}
	return l
}

func node(looks ...metric.Look) scan.Input {
	return scan.Input{
		Node: "gpu-node-17", Looked: 3 * time.Second, Log: scan.Log{Records: 1234},
		Frame: metric.Frame{
			Boot: boot, Wall: time.Date(2026, 11, 23, 18, 40, 0, 0, time.UTC), Looks: looks,
			Driver: metric.Driver{Up: true, Version: "580.82.07", NVML: "12.580.82.07", GPUs: len(looks), Load: 1},
		},
	}
}

// words returns the level and rule of each finding: "critical row-remap-failed".
func words(r scan.Report) string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.Level.String()+" "+f.Rule)
	}
	return strings.Join(out, ", ")
}

func TestAWellNodeIsHealthyWithoutAWord(t *testing.T) {
	r := scan.Judge(node(well(0), well(1)))
	if r.Verdict.Verdict() != "healthy" || r.Verdict.ExitCode() != 0 || len(r.Findings) > 0 {
		t.Errorf("verdict %s with %s", r.Verdict.Verdict(), words(r))
	}
}

// TestEachRuleFindsItsFault breaks one thing of a GPU at a time.
func TestEachRuleFindsItsFault(t *testing.T) {
	f := func(want string, rs ...metric.Reading) {
		t.Helper()
		r := scan.Judge(node(well(0), but(well(1), rs...)))
		if got := words(r); got != want {
			t.Errorf("%s = %v: found %q, want %q", rs[0].Desc.Key(), rs[0].Value, got, want)
		}
		for _, x := range r.Findings {
			if x.GPU == nil || x.GPU.Index != 1 || x.What == "" || x.Evidence == "" || x.Remedy == "" {
				t.Errorf("finding %+v lacks something", x)
			}
		}
	}
	f("critical recovery-action", said("gpu.recovery.action", "", 2))
	f("critical recovery-action", said("gpu.recovery.action", "", 99))
	f("critical ecc-uncorrected", said("gpu.ecc.errors", "volatile_uncorrected", 1))
	f("critical row-remap-failed", said("gpu.row_remap.failure", "", 1))
	f("critical memory-unrepairable", said("gpu.memory.unrepairable", "", 1))
	f("critical sram-threshold", said("gpu.ecc.sram.threshold_exceeded", "", 1))
	f("critical nvlink-all-down", said("gpu.nvlink.links.up", "", 0))
	f("critical fabric-not-registered", said("gpu.fabric.state", "", 1))
	f("critical fabric-unhealthy", said("gpu.fabric.health.summary", "", 2))
	f("warning row-remap-pending", said("gpu.row_remap.pending", "", 1))
	f("warning page-retirement-pending", said("gpu.page_retirement.pending", "", 1))
	f("warning repair-pending", said("gpu.repair.pending", "channel", 1))
	f("warning repair-pending", said("gpu.repair.pending", "tpc", 1))
	f("warning no-spare-rows", said("gpu.row_remap.banks", "none", 2))
	f("warning fabric-in-progress", said("gpu.fabric.state", "", 2))
	f("warning fabric-limited", said("gpu.fabric.health.summary", "", 3))
	f("warning fabric-degraded", said("gpu.fabric.trouble", "degraded_bandwidth", 1))
	f("warning fabric-route", said("gpu.fabric.trouble", "route_unhealthy", 1))
	f("warning fabric-configuration", said("gpu.fabric.configuration", "", 4))
	f("warning nvlink-down", said("gpu.nvlink.links.up", "", 17))
	f("warning nvlink-recovery", said("gpu.nvlink.errors", "recovery", 1))
	f("warning nvlink-recovery-failed", said("gpu.nvlink.errors", "recovery_failed", 1))
	f("warning pcie-width", said("gpu.pcie.width", "", 8))
	f("warning pcie-generation", said("gpu.pcie.generation", "", 3))
	f("warning throttled-by-heat", said("gpu.throttle.active", "hw_thermal", 1))
	f("warning throttled-by-power-brake", said("gpu.throttle.active", "hw_power_brake", 1))
	f("warning throttled-by-driver", said("gpu.throttle.active", "sw_thermal", 1))
	f("warning temperature", said("gpu.temperature.margin", "", 2.5))
	f("warning memory-temperature", said("gpu.memory.temperature", "", 91), said("gpu.temperature.limit", "memory_max", 95))
	f("warning ecc-off", said("gpu.ecc.mode", "", 0))
	f("warning vgpu-unlicensed", said("gpu.virtualization.mode", "", 2))
	f("note nvlink-replay", said("gpu.nvlink.errors", "replay", 7))
	f("note power-capped", said("gpu.power.limit.enforced", "", 500), said("gpu.power.limit.default", "", 700))
	f("note was-throttled", said("gpu.throttle", "hw_thermal", 61))
	f("note persistence-off", said("gpu.persistence.mode", "", 0))

	f("", said("gpu.throttle", "hw_thermal", 59))
	f("", said("gpu.throttle.active", "power", 1)) // that is how a power limit works
	f("", said("gpu.ecc.errors", "volatile_corrected", 12))
	f("", said("gpu.memory.temperature", "", 90), said("gpu.temperature.limit", "memory_max", 95))
	f("", said("gpu.nvlink.errors", "crc_flit", 2))
}

// TestAnOldGPUHasItsLimitAsATemperature: margins are newer.
func TestAnOldGPUHasItsLimitAsATemperature(t *testing.T) {
	l := well(0)
	l.Readings = []metric.Reading{said("gpu.temperature", "", 86), said("gpu.temperature.limit", "slowdown", 90)}
	if got := words(scan.Judge(node(l))); got != "warning temperature" {
		t.Errorf("found %q", got)
	}
}

func TestWhatAGPUDoesNotSayIsNotJudged(t *testing.T) {
	l := well(0)
	l.Readings = nil
	if r := scan.Judge(node(l)); len(r.Findings) > 0 {
		t.Errorf("found %s", words(r))
	}
}

func TestARestingGPUMayLowerItsPCIeGeneration(t *testing.T) {
	l := but(well(0), said("gpu.pcie.generation", "", 1))
	l.Util = metric.KnownShare(0.1)
	if r := scan.Judge(node(l)); len(r.Findings) > 0 {
		t.Errorf("found %s", words(r))
	}
}

func TestBoardsWithoutABridgeHaveNoLinkUp(t *testing.T) {
	down := said("gpu.nvlink.links.up", "", 0)
	if r := scan.Judge(node(but(well(0), down), but(well(1), down))); len(r.Findings) > 0 {
		t.Errorf("found %s", words(r))
	}
}

func TestAGPUThatDoesNotAnswerHasAReasonAndARemedy(t *testing.T) {
	f := func(condition metric.Condition, reason, want string) {
		t.Helper()
		l := but(well(1), said("gpu.row_remap.failure", "", 1)) // old values must not count
		l.Condition, l.Reason = condition, reason
		if got := words(scan.Judge(node(well(0), l))); got != want {
			t.Errorf("%s: found %q, want %q", reason, got, want)
		}
	}
	f(metric.Lost, metric.ReasonLost, "critical gpu-lost")
	f(metric.Lost, "", "critical gpu-lost")
	f(metric.Unobserved, metric.ReasonHang, "critical gpu-unobserved")
	f(metric.Unobserved, metric.ReasonGone, "critical gpu-unobserved")
	f(metric.Unobserved, "reset_required", "critical gpu-unobserved")
	f(metric.Unobserved, metric.ReasonError, "critical gpu-unobserved")
	f(metric.Unobserved, metric.ReasonPermission, "unknown gpu-unobserved")
	f(metric.Unobserved, metric.ReasonNeverSeen, "unknown gpu-unobserved")
	f(metric.Unobserved, "a reason of tomorrow", "unknown gpu-unobserved")
}

// TestAGPUThatWasNotLookedAtIsNotHealthy holds where the finding is the node's.
func TestAGPUThatWasNotLookedAtIsNotHealthy(t *testing.T) {
	in := node(well(0), well(1))
	in.Frame.Driver = metric.Driver{Reason: metric.ReasonWorkerExit}
	for i := range in.Frame.Looks {
		l := &in.Frame.Looks[i]
		l.Condition, l.Reason, l.Readings = metric.Unobserved, metric.ReasonWorkerExit, nil
	}
	r := scan.Judge(in)
	if got := r.Of(in.Frame.Looks[0].GPU.UUID); got != scan.Unknown {
		t.Errorf("verdict on a GPU nobody looked at = %s, want unknown", got.Verdict())
	}
	if len(r.Findings) != 1 {
		t.Errorf("found %s", words(r))
	}
}

func TestADriverThatCannotBeAskedIsOneFinding(t *testing.T) {
	f := func(reason string, status int) {
		t.Helper()
		in := node()
		in.Frame.Driver = metric.Driver{Reason: reason, Detail: "more words"}
		in.Bus = []scan.Device{{PCI: "0000:1b:00.0", Bound: "nvidia"}}
		r := scan.Judge(in)
		if words(r) != r.Verdict.String()+" driver" || r.Verdict.ExitCode() != status || !strings.Contains(r.Findings[0].Evidence, "more words; 1 GPU on the bus") {
			t.Errorf("%s: found %q with %+v, want exit status %d", reason, words(r), r.Findings, status)
		}
	}
	f(metric.ReasonNoDriver, 3)
	f(metric.ReasonNotLoaded, 3)
	f(metric.ReasonPermission, 3)
	f(metric.ReasonNeverSeen, 3)
	f(metric.ReasonMismatch, 2)
	f(metric.ReasonHang, 2)
	f("a reason of tomorrow", 3)
}

func TestTheBusTellsWhatTheDriverDoesNotShow(t *testing.T) {
	f := func(what string, d scan.Device, files int, want string) {
		t.Helper()
		in := node(well(0))
		in.Bus, in.Files = []scan.Device{{PCI: "0000:10:00.0", Bound: "nvidia"}, d}, files
		if got := words(scan.Judge(in)); got != want {
			t.Errorf("%s: found %q, want %q", what, got, want)
		}
	}
	f("not bound", scan.Device{PCI: "0000:11:00.0"}, 1, "critical gpu-missing")
	f("bound, and its device file is here", scan.Device{PCI: "0000:11:00.0", Bound: "nvidia"}, 2, "critical gpu-missing")
	f("bound, in a container", scan.Device{PCI: "0000:11:00.0", Bound: "nvidia"}, 1, "note gpu-hidden")
	f("given to a virtual machine", scan.Device{PCI: "0000:11:00.0", Bound: "vfio-pci"}, 1, "note gpu-elsewhere")
	f("the one that is shown, in another spelling", scan.Device{PCI: "00000000:10:00.0", Bound: "nvidia"}, 1, "")
}

func TestANodeThatShowsTooFewHasMissingSiblings(t *testing.T) {
	f := func(what string, expected int, edit func(*scan.Input), want string) {
		t.Helper()
		in := node(well(0), well(1))
		in.Expected, in.Basis = expected, "p5.48xlarge has 8 H100"
		edit(&in)
		if got := words(scan.Judge(in)); got != want {
			t.Errorf("%s: found %q, want %q", what, got, want)
		}
	}
	asIs := func(*scan.Input) {}
	f("nobody says", 0, asIs, "")
	f("all there", 2, asIs, "")
	f("more than all", 1, asIs, "")
	f("too few", 3, asIs, "critical sibling-missing")
	f("the driver counts it", 3, func(in *scan.Input) { in.Frame.Driver.GPUs = 3 }, "critical gpu-nameless")
	f("it is on the bus", 3, func(in *scan.Input) { in.Bus = []scan.Device{{PCI: "0000:12:00.0"}} }, "critical gpu-missing")
	f("it was given away", 3, func(in *scan.Input) { in.Bus = []scan.Device{{PCI: "0000:12:00.0", Bound: "vfio-pci"}} }, "note gpu-elsewhere")
	f("no driver", 3, func(in *scan.Input) { in.Frame.Driver = metric.Driver{Reason: metric.ReasonNoDriver} }, "unknown driver")
}

func TestAGPUWithoutANameIsCriticalIfOthersAnswer(t *testing.T) {
	in := node(well(0))
	in.Frame.Driver.GPUs = 2
	if got := words(scan.Judge(in)); got != "critical gpu-nameless" {
		t.Errorf("found %q", got)
	}
	in = node()
	in.Frame.Driver.GPUs = 2
	if got := words(scan.Judge(in)); got != "unknown gpu-nameless" {
		t.Errorf("none answered: found %q", got)
	}
	in.Frame.Nameless = []metric.Nameless{{Index: 0, Reason: metric.ReasonNeverSeen}, {Index: 1, Reason: metric.ReasonLost}}
	r := scan.Judge(in)
	if got := words(r); got != "critical gpu-nameless" {
		t.Errorf("one is lost: found %q", got)
	}
	if e := r.Findings[0].Evidence; !strings.Contains(e, "index 1: gpu_lost") {
		t.Errorf("evidence %q does not say which is lost", e)
	}
	if got := words(scan.Judge(node())); got != "unknown no-gpu" {
		t.Errorf("a node without a GPU: found %q", got)
	}
}

func TestAGPUThatMayBeWakingUpIsUnknown(t *testing.T) {
	asleep, slow := but(well(0), said("gpu.persistence.mode", "", 0)), well(1)
	slow.Condition, slow.Reason = metric.Unobserved, metric.ReasonHang
	nameless := node(asleep)
	nameless.Frame.Driver.GPUs = 2
	f := func(in scan.Input, looked time.Duration, want string) {
		t.Helper()
		in.Looked = looked
		if got := words(scan.Judge(in)); got != want {
			t.Errorf("after %s: found %q, want %q", looked, got, want)
		}
	}
	f(node(asleep, slow), 9*time.Second, "unknown gpu-unobserved, note persistence-off")
	f(node(asleep, slow), 40*time.Second, "critical gpu-unobserved, note persistence-off")
	f(nameless, 9*time.Second, "unknown gpu-nameless, note persistence-off")
	f(nameless, 40*time.Second, "critical gpu-nameless, note persistence-off")
}

// xid is a report of the kernel's log, an hour ago.
func xid(pci string, code int) metric.Xid {
	return metric.Xid{PCI: pci, Code: code, At: boot - time.Hour, Origin: metric.FromKernel}
}

func TestErrorsOfThisBootComeWithAdvice(t *testing.T) {
	noAction := well(1)
	noAction.Readings = slices.DeleteFunc(slices.Clone(noAction.Readings), func(r metric.Reading) bool { return r.Desc.Name == "gpu.recovery.action" })
	f := func(what string, l metric.Look, want string, xids ...metric.Xid) {
		t.Helper()
		in := node(well(0), l)
		in.Log.Xids = xids
		r := scan.Judge(in)
		if got := words(r); got != want {
			t.Errorf("%s: found %q, want %q", what, got, want)
		}
		for _, x := range r.Findings {
			if x.Remedy == "" || x.GPU == nil && x.PCI == "" {
				t.Errorf("%s: finding %+v", what, x)
			}
		}
	}
	f("fatal", noAction, "critical xid", xid("0000:11:00", 79))
	f("fatal, and the driver asks for nothing more", well(1), "warning xid", xid("0000:11:00", 95))
	recent := xid("0000:11:00", 95)
	recent.At = boot - time.Second
	f("fatal, during the scan", well(1), "critical xid", recent)
	f("of an application", noAction, "note xid", xid("0000:11:00", 31))
	f("to be recorded only", noAction, "", xid("0000:11:00", 45))
	f("for the next service", noAction, "warning xid", xid("0000:11:00", 94))
	f("unknown", noAction, "warning xid", xid("0000:11:00", 999))
	f("of a GPU that is not shown", noAction, "critical xid", xid("0000:99:00", 79))
	fatal := xid("0000:11:00", 145)
	fatal.Severity = metric.Reset
	f("fatal by its line", noAction, "critical xid", fatal)
	harmless := xid("0000:11:00", 145)
	harmless.Severity = metric.Record
	f("harmless by its line", noAction, "", harmless)
}

func TestTheSameErrorFromBothSourcesIsCountedOnce(t *testing.T) {
	in := node(well(0))
	in.Log.Xids = []metric.Xid{xid("0000:10:00", 31), xid("0000:10:00", 31), xid("0000:10:00", 13)}
	in.Log.Xids[0].More = 5
	in.Frame.Xids = []metric.Xid{{UUID: in.Frame.Looks[0].GPU.UUID, Code: 31, At: boot}, {UUID: in.Frame.Looks[0].GPU.UUID, Code: 43, At: boot}}
	r := scan.Judge(in)
	got := map[int]uint64{}
	for _, e := range r.Errors {
		got[e.Code] = e.Count
		if e.UUID != in.Frame.Looks[0].GPU.UUID {
			t.Errorf("Xid %d belongs to %q", e.Code, e.UUID)
		}
	}
	if d := cmp.Diff(map[int]uint64{31: 7, 13: 1, 43: 1}, got); d != "" {
		t.Error(d)
	}
}

func TestTheWorstLevelIsTheVerdict(t *testing.T) {
	pending, hidden := but(well(1), said("gpu.row_remap.pending", "", 1)), well(2)
	hidden.Condition, hidden.Reason = metric.Unobserved, metric.ReasonPermission
	failed := but(well(3), said("gpu.row_remap.failure", "", 1))
	f := func(status int, looks ...metric.Look) {
		t.Helper()
		if r := scan.Judge(node(looks...)); r.Verdict.ExitCode() != status {
			t.Errorf("%s: exit status %d, want %d", words(r), r.Verdict.ExitCode(), status)
		}
	}
	f(0, well(0))
	f(1, well(0), pending)
	f(3, well(0), pending, hidden)
	f(2, well(0), pending, hidden, failed)
}

// broken is a node that has much to show.
func broken() scan.Input {
	lost := well(3)
	lost.Condition, lost.Reason, lost.Readings = metric.Lost, metric.ReasonLost, nil
	in := node(well(0), but(well(1), said("gpu.row_remap.pending", "", 1), said("gpu.persistence.mode", "", 0)),
		but(well(2), said("gpu.recovery.action", "", 4), said("gpu.nvlink.links.up", "", 16), said("gpu.persistence.mode", "", 0)), lost)
	in.Frame.Looks[1].GPU.Name = "NVIDIA H100\x1b[31m 80GB"
	in.Bus = []scan.Device{{PCI: "0000:10:00.0", Bound: "nvidia"}, {PCI: "0000:14:00.0", Bound: ""}}
	in.Files = 4
	in.Log = scan.Log{Records: 900, Lost: 4711, Xids: []metric.Xid{
		{PCI: "0000:13:00", Code: 79, At: boot - 90*time.Minute, Detail: "GPU has fallen off the bus."},
		{PCI: "0000:10:00", Code: 31, At: boot - 26*time.Hour, More: 11, Detail: "pid=4242, name=train.py"},
	}}
	return in
}

func TestReportsLookAsTheyShould(t *testing.T) {
	in := broken()
	in.Place = []scan.Place{{"provider", "aws", "dmi"}, {"account", "123456789012", "aws"}, {"region", "us-east-1", "aws"}, {"instance_type", "p5.48xlarge", "aws"}}
	in.Expected, in.Basis = len(in.Frame.Looks)+1, "p5.48xlarge has 8 H100"
	r, fine := scan.Judge(in), scan.Judge(node(well(0), well(1)))
	none := node()
	none.Frame.Driver = metric.Driver{Reason: metric.ReasonNoDriver, Detail: "open the NVIDIA driver library: not at /usr/lib64/libnvidia-ml.so.1"}
	absent := scan.Judge(none)
	golden(t, "broken.txt", text(t, &r, scan.Options{}))
	golden(t, "narrow-colored.txt", text(t, &r, scan.Options{Width: 60, Color: true}))
	golden(t, "healthy.txt", text(t, &fine, scan.Options{}))
	golden(t, "no-driver.txt", text(t, &absent, scan.Options{}))
	var b bytes.Buffer
	if err := scan.JSON(&b, &r); err != nil {
		t.Fatal(err)
	}
	golden(t, "broken.json", b.String())
}

func text(t *testing.T, r *scan.Report, o scan.Options) string {
	t.Helper()
	var b strings.Builder
	if err := scan.Text(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", name, d)
	}
}

// FuzzReport wants a report of whatever a driver and a kernel log say: valid
// JSON, and text that a terminal takes for nothing but text.
func FuzzReport(f *testing.F) {
	f.Add("NVIDIA H100", "GPU-1", "0000:10:00", "gpu_lost", "detail", 79, 1.5)
	f.Add("\x1b[2J\xff", "", "\n\t", "\u0085", "\x9b31m", -1, 1e308)
	f.Fuzz(func(t *testing.T, name, uuid, pci, reason, detail string, code int, v float64) {
		l := but(well(0), said("gpu.recovery.action", "", v), said("gpu.temperature", "", v), said("gpu.nvlink.errors", "recovery", v))
		l.GPU.Name, l.GPU.UUID, l.GPU.PCI = name, uuid, pci
		bad := metric.Look{GPU: metric.GPU{UUID: uuid, PCI: pci}, Reason: reason}
		in := node(l, bad)
		in.Node, in.Frame.Driver.Version, in.Bus = name, detail, []scan.Device{{PCI: pci, Bound: detail}}
		in.Log.Xids = []metric.Xid{{PCI: pci, Code: code, Detail: detail}, {UUID: uuid, Code: code}}
		in.Log.Trouble = detail
		r := scan.Judge(in)
		out := text(t, &r, scan.Options{})
		for _, c := range out {
			if c != '\n' && (c < ' ' || c >= 0x7f && c < 0xa0) {
				t.Fatalf("%q holds %q", out, c)
			}
		}
		var b bytes.Buffer
		if err := scan.JSON(&b, &r); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b.Bytes()) {
			t.Fatalf("not JSON: %s", b.String())
		}
	})
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/agent/holder/slurm"
	"github.com/gpumeter/gpumeter/agent/scan"
	"github.com/gpumeter/gpumeter/cmd/internal/command"
	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// wellNode is a node of two GPUs on which nothing stands in the way.
func wellNode() nodeFacts {
	n := nodeFacts{
		config: config{Kmsg: kmsgAuto, SpoolMiB: 256, State: "/var/lib/gpumeter", Holders: holdersConfig{Kubelet: holderAuto, Slurm: holderAuto}},
		files:  []string{"/etc/gpumeter/agent.env"}, library: driverFile{path: "/usr/lib64/libnvidia-ml.so.1", mode: 0o755},
		devices: []access{{path: "/dev/nvidia0"}, {path: "/dev/nvidia1"}, {path: "/dev/nvidiactl"}},
		slurm:   slurm.ErrAbsent, kubelet: kubelet.ErrAbsent,
		cloud: cloud.Found{
			Cloud: usage.Cloud{Provider: "aws", Region: "us-east-1", InstanceType: "p5.2"},
			From:  map[string]string{"provider": "aws", "region": "aws", "instance_type": "aws"},
		},
		clock: doctor.Clock{Kept: true}, state: folder{path: "/var/lib/gpumeter", near: "/var/lib/gpumeter", free: 10 << 30},
		agent: fs.ErrNotExist, listen: map[string]error{"127.0.0.1:9409": nil},
		answer: &doctor.Answer{Target: doctor.Target{URL: "https://gpumeter.example:9410", TokenFile: "t", Agent: true}, Status: 200, Collector: true,
			At: time.Unix(1_790_000_000, 0), Expires: time.Unix(1_800_000_000, 0), HasOffset: true, Offset: 3 * time.Millisecond, Doubt: 2 * time.Millisecond},
	}
	n.scan = scan.Report{Input: scan.Input{
		Bus: []scan.Device{{PCI: "0000:01:00.0", Bound: "nvidia"}, {PCI: "0000:02:00.0", Bound: "nvidia"}}, Files: 2, Expected: 2, Basis: "p5.2 has 2 H100",
		Frame: metric.Frame{Driver: metric.Driver{Up: true, Version: "580.1", GPUs: 2}, Looks: []metric.Look{
			{GPU: metric.GPU{UUID: "GPU-0", PCI: "0000:01:00.0"}, Condition: metric.Good},
			{GPU: metric.GPU{UUID: "GPU-1", Index: 1, PCI: "0000:02:00.0"}, Condition: metric.Good},
		}},
	}}
	return n
}

// downed is a driver that does not answer, as a scan judges it.
func downed(reason, detail string) func(*nodeFacts) {
	return func(n *nodeFacts) {
		in := n.scan.Input
		in.Frame = metric.Frame{Driver: metric.Driver{Reason: reason, Detail: detail}}
		n.scan = scan.Judge(in)
	}
}

// ailments break one thing of a node that is well.
var ailments = []struct {
	name string
	do   func(*nodeFacts)
}{
	{"nothing", func(*nodeFacts) {}},
	{"settings that are wrong", func(n *nodeFacts) { n.wrong = errors.New("interval 1h is not between 100ms and 10s") }},
	{"no library", func(n *nodeFacts) { n.library.path = ""; downed(metric.ReasonNoDriver, "not at …")(n) }},
	{"a library that only the loader knows", func(n *nodeFacts) { n.library.path = "" }},
	{"a library that is not where it should be", func(n *nodeFacts) { n.library.err = errors.New("stat /opt/x.so: no such file or directory") }},
	{"a library that others can write", func(n *nodeFacts) { n.library.mode = 0o775 }},
	{"a library of another user", func(n *nodeFacts) { n.library.owner = 1000 }},
	{"device files of another group", func(n *nodeFacts) { n.devices[0].err, n.devices[2].err = syscall.EACCES, syscall.EACCES }},
	{"no device files", func(n *nodeFacts) { n.devices = nil; downed(metric.ReasonNotLoaded, "")(n) }},
	{"no GPU at all", func(n *nodeFacts) { n.devices, n.scan.Bus = nil, nil; downed(metric.ReasonNotLoaded, "")(n) }},
	{"a driver without device files", func(n *nodeFacts) { n.devices = nil }},
	{"a driver of two versions", downed(metric.ReasonMismatch, "580.1 and 570.2")},
	{"a driver that hangs", downed(metric.ReasonHang, "")},
	{"a pause", func(n *nodeFacts) { n.paused, n.agent, n.scan = true, nil, scan.Report{} }},
	{"a GPU too few", func(n *nodeFacts) { n.scan.Expected = 8; n.scan.Basis = "p5.48xlarge has 8 H100" }},
	{"a GPU too many", func(n *nodeFacts) { n.scan.Expected = 1; n.scan.Basis = "--expected-gpus" }},
	{"nobody who says how many", func(n *nodeFacts) { n.scan.Expected = 0 }},
	{"no GPU in the container", func(n *nodeFacts) { n.scan.Frame.Looks = nil }},
	{"a GPU that is lost", func(n *nodeFacts) {
		n.scan.Frame.Looks[1].Condition, n.scan.Frame.Looks[1].Reason = metric.Lost, metric.ReasonLost
		n.scan = scan.Judge(n.scan.Input)
	}},
	{"a kernel log of root's", func(n *nodeFacts) { n.scan.Log.Trouble = "permission denied" }},
	{"a kernel log that nobody wants", func(n *nodeFacts) { n.config.Kmsg = kmsgOff }},
	{"a kubelet of root's", func(n *nodeFacts) { n.kubelet = fmt.Errorf("dial unix /var/lib/x.sock: %w", syscall.EACCES) }},
	{"a kubelet that answers", func(n *nodeFacts) { n.kubelet = nil; n.procs.container = true }},
	{"pods' labels that are forbidden", func(n *nodeFacts) {
		n.config.Holders.Labels, n.labels = []string{"team"}, errors.New("list pods of this node: 403 Forbidden")
	}},
	{"sources that are off", func(n *nodeFacts) { n.config.Holders.Kubelet, n.config.Holders.Slurm = holderOff, holderOff }},
	{"a container that sees itself only", func(n *nodeFacts) { n.procs.container = true }},
	{"a /proc that hides others", func(n *nodeFacts) {
		n.procs.others = &fs.PathError{Op: "open", Path: "/proc/1/cgroup", Err: syscall.ENOENT}
	}},
	{"a cloud that nobody knows", func(n *nodeFacts) { n.cloud = cloud.Found{} }},
	{"a metadata service that hangs", func(n *nodeFacts) { n.cloud.Failed = map[string]string{"aws": "no answer within 2s"} }},
	{"an API server that refuses", func(n *nodeFacts) { n.cloud.Failed = map[string]string{"node": "403 Forbidden"} }},
	{"a state folder of another user", func(n *nodeFacts) { n.state.write = syscall.EACCES }},
	{"a state folder that cannot be made", func(n *nodeFacts) { n.state.near = "/var/lib"; n.state.write = syscall.EACCES }},
	{"a state folder to be made", func(n *nodeFacts) { n.state.near = "/var/lib" }},
	{"a full disk", func(n *nodeFacts) { n.state.free = 1 << 20 }},
	{"a small disk", func(n *nodeFacts) { n.state.free = 200 << 20 }},
	{"a port that is taken", func(n *nodeFacts) { n.listen["127.0.0.1:9409"] = inUse }},
	{"a port that is the agent's", func(n *nodeFacts) { n.listen["127.0.0.1:9409"] = inUse; n.agent = nil }},
	{"a port that may not be had", func(n *nodeFacts) { n.listen = map[string]error{":80": syscall.EACCES} }},
	{"no metrics", func(n *nodeFacts) { n.listen = nil }},
	{"an agent of another user", func(n *nodeFacts) { n.agent = fmt.Errorf("ask the agent: %w", syscall.EACCES) }},
	{"an agent that does not answer", func(n *nodeFacts) { n.agent = errors.New("ask the agent: EOF") }},
	{"no collector", func(n *nodeFacts) { n.answer = nil }},
	{"a collector that is gone", func(n *nodeFacts) {
		n.answer.Err = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}},
	{"a certificate that ends", func(n *nodeFacts) { n.answer.Expires = n.answer.At.Add(48 * time.Hour) }},
	{"a token of readers", func(n *nodeFacts) {
		n.answer.Status, n.answer.Said = http.StatusForbidden, "the token does not allow this"
	}},
	{"a clock that is wrong", func(n *nodeFacts) { n.answer.Offset = -time.Hour }},
	{"a clock that nobody keeps", func(n *nodeFacts) { n.answer = nil; n.clock.Kept = false }},
}

var inUse = &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}

// TestDoctorGolden writes, for each ailment, what differs from the node that is
// well.
func TestDoctorGolden(t *testing.T) {
	well := wellNode()
	healthy := doctor.Run(nodeChecks, &well)
	if healthy.ExitCode() != 0 {
		t.Errorf("the node that is well has exit code %d", healthy.ExitCode())
	}
	ill := map[string]bool{}
	var out bytes.Buffer
	for i, a := range ailments {
		n := wellNode()
		a.do(&n)
		r := doctor.Run(nodeChecks, &n)
		if i > 0 {
			r.Findings = slices.DeleteFunc(r.Findings, func(f doctor.Finding) bool { return slices.Contains(healthy.Findings, f) })
		}
		for _, f := range r.Findings {
			ill[f.Check] = ill[f.Check] || f.Level > doctor.Aside
			if (f.Level > doctor.Aside) != (f.Remedy != "") {
				t.Errorf("%s: %+v has a remedy, or needs none", a.name, f)
			}
		}
		fmt.Fprintf(&out, "== %s\n", a.name)
		if err := doctor.Write(&out, &r, "text", doctor.Options{}); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
	}
	for _, c := range nodeChecks {
		if !ill[c.Name] {
			t.Errorf("no ailment shows in the check %s", c.Name)
		}
	}
	path := filepath.Join("testdata", "doctor.txt")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, out.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%v, or it is not what %s has (-update writes it anew):\n%s", err, path, out.Bytes())
	}
}

// doctored runs a doctor on a simulated node, and returns its findings by check.
func doctored(t *testing.T, scenario string, env []string, args ...string) (map[string][]doctor.Finding, int) {
	t.Helper()
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "scenario"), filepath.Join(dir, "agent.env")
	if err := errors.Join(os.WriteFile(file, []byte(scenario), 0o644), os.WriteFile(empty, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	lib, err := library()
	if err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	cmd := exec.Command(os.Args[0], append([]string{"doctor", "-o", "json", "--env-file", empty, "--nvml", lib, "--cloud", "off", "--state", filepath.Join(dir, "state"), "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env = slices.Concat(os.Environ(), []string{commandEnv + "=1", "GPUMETER_SIM_SCENARIO=" + file}, env)
	cmd.Stdout, cmd.Stderr = &out, &said
	_ = cmd.Run()
	r, err := doctor.Read(out.Bytes())
	if err != nil {
		t.Fatalf("%v in %s%s", err, out.String(), said.String())
	}
	found := map[string][]doctor.Finding{}
	for _, f := range r.Findings {
		found[f.Check] = append(found[f.Check], f)
	}
	return found, cmd.ProcessState.ExitCode()
}

// is wants a level and words of the first finding of a check.
func is(t *testing.T, found map[string][]doctor.Finding, check string, level doctor.Level, words string) {
	t.Helper()
	if len(found[check]) == 0 || found[check][0].Level != level || !strings.Contains(found[check][0].What, words) {
		t.Errorf("%s: %+v, want %s with %q", check, found[check], level, words)
	}
}

// TestDoctorLooksAtARealDriverAndCollector has seven of eight GPUs, one of them
// hanging.
func TestDoctorLooksAtARealDriverAndCollector(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(agentToken), 0o600); err != nil {
		t.Fatal(err)
	}
	found, status := doctored(t, "seed 7\ngpus 7 h100\ngpu * util 100%\ngpu 3 lost from=now+1s\n", []string{"GPUMETER_AGENT_EXPECTED_GPUS=8"},
		"--collector", c.URL, "--token-file", token, "--kmsg", "off")
	if status != doctor.StatusDoubt {
		t.Errorf("status %d, want that of a warning", status)
	}
	is(t, found, "settings", doctor.Well, "starts")
	is(t, found, "driver", doctor.Well, "answers")
	is(t, found, "gpus", doctor.Warning, "7 GPUs where there should be 8")
	is(t, found, "health", doctor.Warning, "critical")
	is(t, found, "state", doctor.Well, "can make it")
	is(t, found, "agent", doctor.Aside, "No agent runs")
	is(t, found, "collector", doctor.Well, "answers")
	is(t, found, "token", doctor.Well, "takes the token")
	is(t, found, "clock", doctor.Well, "the collector's")
}

func TestDoctorSaysWhatIsNotThere(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	found, status := doctored(t, "gpus 1 h100\n", nil, "--nvml", "/nowhere/libnvidia-ml.so.1", "--collector", gone.URL, "--kmsg", "/nowhere/kmsg")
	if status != doctor.StatusFault {
		t.Errorf("status %d, want that of a fault", status)
	}
	is(t, found, "library", doctor.Fault, "/nowhere/libnvidia-ml.so.1")
	is(t, found, "driver", doctor.Fault, "no driver library")
	is(t, found, "kernel log", doctor.Warning, "not there")
	is(t, found, "collector", doctor.Fault, "connection refused")
	is(t, found, "token", doctor.Aside, "not tried")
}

// TestDoctorLeavesAPausedDriverAlone has a pause file, as an upgrade makes it.
func TestDoctorLeavesAPausedDriverAlone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	found, status := doctored(t, "gpus 1 h100\n", nil, "--pause-file", file)
	if status != doctor.StatusDoubt {
		t.Errorf("status %d, want that of a doubt", status)
	}
	is(t, found, "driver", doctor.Unknown, "left alone")
}

// TestDoctorSeesTheAgentThatRuns has one on the same state folder.
func TestDoctorSeesTheAgentThatRuns(t *testing.T) {
	t.Parallel()
	n := startNode(t, "gpus 1 h100\n")
	n.until("the GPU is up", 20*time.Second, func(m map[string]float64) bool { return m["gpu_up{0}"] == 1 })
	found, _ := doctored(t, "gpus 1 h100\n", nil, "--state", n.state, "--listen", strings.TrimSuffix(strings.TrimPrefix(n.url, "http://"), "/metrics"))
	is(t, found, "agent", doctor.Well, "An agent runs here")
	if m := found["metrics"]; len(m) != 2 || !strings.Contains(m[0].What+m[1].What, "in use, as it should be") {
		t.Errorf("metrics: %+v", m)
	}
}

func TestDoctorReadsTheSettingsOfTheInstalledAgent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := filepath.Join(dir, "agent.env")
	f := func(text string, want doctor.Level, words string) {
		t.Helper()
		if err := os.WriteFile(env, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		found, _ := doctored(t, "gpus 1 h100\n", nil, "--env-file", env)
		is(t, found, "settings", want, words)
	}
	f("GPUMETER_AGENT_EXPECTED_GPUS=1\n", doctor.Well, "from "+env+", flags")
	f("GPUMETER_AGENT_EXPECTED_GPU=1\n", doctor.Fault, "GPUMETER_AGENT_EXPECTED_GPU in the environment is no setting")
	f("GPUMETER_AGENT_WINDOW=7m\n", doctor.Fault, "window 7m")
	f("hello\n", doctor.Fault, env+":1: want NAME=VALUE")
}

// exitCode is what the program ends with after an error.
func exitCode(err error) int { return command.Status(err) }

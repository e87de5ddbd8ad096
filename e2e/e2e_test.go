//go:build e2e

// Package e2e_test runs the exporters against servers that are not ours.
package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/host"
	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// tool returns the path of a server: in the folder GPUMETER_E2E_BIN, or where
// the shell would find it.
func tool(t *testing.T, name string) string {
	t.Helper()
	if folder := os.Getenv("GPUMETER_E2E_BIN"); folder != "" {
		if path := filepath.Join(folder, name); exists(path) {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is neither in GPUMETER_E2E_BIN nor installed (make servers builds and installs all)", name)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// address returns a free address on loopback.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// safe is a buffer for the output of a process.
type safe struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serve starts a server, ends it with the test, and waits until ready answers
// 2xx.
func serve(t *testing.T, ready string, name string, args ...string) {
	t.Helper()
	out := &safe{}
	cmd := exec.Command(tool(t, name), args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if t.Failed() {
			text := out.String()
			t.Logf("%s said:\n%s", name, text[max(0, len(text)-1500):])
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get(ready); err == nil {
			resp.Body.Close()
			if resp.StatusCode/100 == 2 {
				return
			}
		}
		select {
		case <-done:
			t.Fatalf("%s ended:\n%s", name, out.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready:\n%s", name, out.String())
		}
	}
}

// ask returns the body of an answer that must be 2xx.
func ask(t *testing.T, r *http.Request) []byte {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s: %s, %v: %s", r.URL, resp.Status, err, body)
	}
	return body
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, r)
}

// once runs an exporter for its last look only.
func once(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx); err != nil {
		t.Fatal(err)
	}
}

// noLosses holds an exporter's own counts against there being any.
func noLosses(t *testing.T, readings []metric.Reading) {
	t.Helper()
	for _, r := range readings {
		lost := strings.HasSuffix(r.Desc.Name, ".dropped") || strings.HasSuffix(r.Desc.Name, ".failures")
		if lost && r.Value != 0 {
			t.Fatalf("%s is %v", r.Desc.Key(), r.Value)
		}
		if strings.HasSuffix(r.Desc.Name, ".values") && r.Value == 0 {
			t.Fatal("nothing was sent")
		}
	}
}

// hostile is a text as users choose it who mean ill.
const hostile = "a\\,b=\"c\" d\n\x00\xff{}#é\\"

// node is a node of five GPUs: one held by many, one free, one divided, one lost
// and one that hangs. Every row of the driver's table has a value.
func node(t *testing.T) exporters.Snapshot {
	t.Helper()
	s := exporters.Snapshot{
		Node: usage.Node{Name: "node-1", MachineID: "m1", Agent: "1.2.3", Driver: "580.82.07",
			Cloud: usage.Cloud{Provider: "example", Account: "acct-1", Region: "region-1", Zone: "zone-a", InstanceType: "gpu.8x"}},
		Frame: metric.Frame{
			Wall:   time.Now().Truncate(time.Millisecond),
			Driver: metric.Driver{Up: true, Version: "580.82.07", NVML: "13.580.82.07"},
		},
		Totals: map[string][]metric.Reading{}, Holders: map[string][]usage.Holder{},
		Host: readHost(t),
	}
	for i := range 5 {
		l := look(i)
		s.Frame.Looks = append(s.Frame.Looks, l)
		for n, d := range meter.Descs() {
			s.Totals[l.GPU.UUID] = append(s.Totals[l.GPU.UUID], metric.Reading{Desc: d, Value: 1000*float64(i) + float64(n) + 0.5})
		}
	}
	l := s.Frame.Looks
	s.Holders[l[0].GPU.UUID] = holders()
	s.Holders[l[1].GPU.UUID] = nil
	l[2].MIG, l[2].Instances = true, instances(&l[2])
	l[3].Condition, l[3].Reason = metric.Lost, metric.ReasonLost
	l[4].Condition, l[4].Reason = metric.Unobserved, metric.ReasonHang
	s.Xids = []exporters.XidCount{
		{UUID: l[3].GPU.UUID, Code: 79, Count: 1, Last: s.Frame.Wall, Severity: metric.Replace},
		{UUID: l[0].GPU.UUID, Code: 31, Count: 12, Last: s.Frame.Wall, Severity: metric.Application},
		{UUID: l[0].GPU.UUID, Code: 999, Count: 1, Last: s.Frame.Wall},
		{Code: 79, Count: 2, Last: s.Frame.Wall, Severity: metric.Replace},
	}
	return s
}

func look(i int) metric.Look {
	l := metric.Look{Condition: metric.Good, GPU: metric.GPU{
		UUID: fmt.Sprintf("GPU-%08d-0000-0000-0000-000000000000", i), Index: i, Name: "NVIDIA H100 80GB HBM3", Device: fmt.Sprintf("nvidia%d", i),
		Serial: fmt.Sprint(1650000000 + i), PCI: fmt.Sprintf("00000000:%02X:00.0", 0x10+i), VBIOS: "96.00.89.00.01",
		Architecture: "hopper", Capability: "9.0", MemoryBytes: 80 << 30,
	}}
	for n := range nvml.Table {
		l.Readings = append(l.Readings, metric.Reading{Desc: &nvml.Table[n].Desc, Value: 1000*float64(i) + float64(n) + 0.5})
	}
	return l
}

func holders() []usage.Holder {
	out := []usage.Holder{
		{Basis: usage.BasisKubelet, Kind: "pod", Group: "team", Name: "train-0", Part: "main"},
		{Basis: usage.BasisProcess, Kind: "user", Group: hostile, Name: hostile, Part: hostile},
		{Basis: usage.BasisProcess, Kind: "user", Name: strings.Repeat("ü", 5000)},
	}
	for i := range 40 {
		out = append(out, usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: fmt.Sprint("user-", i)})
	}
	return out
}

// instances are one with a compute instance of its own, and one that two share.
func instances(l *metric.Look) []metric.Instance {
	used := &metric.Desc{Name: "gpu.instance.memory.used", Unit: metric.Bytes, Help: "Memory of the instance in use."}
	return []metric.Instance{
		{ID: 7, Profile: "1g.10gb", Slices: 1, Of: 7, Readings: []metric.Reading{{Desc: used, Value: 1 << 30}},
			Compute: []metric.ComputeInstance{{ID: 0, UUID: "MIG-a-" + l.GPU.UUID, Slices: 1}}},
		{ID: 1, Profile: "3g.40gb", Slices: 3, Of: 7, Readings: []metric.Reading{{Desc: used, Value: 2 << 30}},
			Compute: []metric.ComputeInstance{{ID: 0, UUID: "MIG-b-" + l.GPU.UUID, Slices: 1}, {ID: 1, UUID: "MIG-c-" + l.GPU.UUID, Slices: 2}}},
	}
}

// readHost returns what this machine says of itself.
func readHost(t *testing.T) []metric.Reading {
	t.Helper()
	r := host.New(host.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		names := map[string]bool{}
		for _, x := range r.Readings() {
			names[x.Desc.OTel.Name] = true
		}
		if names["system.cpu.time"] && names["system.memory.usage"] && names["system.filesystem.usage"] {
			return r.Readings()
		}
	}
	t.Fatal("the host says nothing of its CPUs, memory and filesystems")
	return nil
}

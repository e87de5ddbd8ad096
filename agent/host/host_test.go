package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/metric"
)

// fakeProc makes HOST_PROC a folder with these files.
func fakeProc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOST_PROC", dir)
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// keyed returns readings by Desc.Key, and fails if two have one key.
func keyed(t *testing.T, rs []metric.Reading) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, r := range rs {
		key := r.Desc.Key()
		if _, twice := out[key]; twice {
			t.Errorf("%s stands twice", key)
		}
		out[key] = r.Value
	}
	return out
}

func only(m map[string]float64, prefix string) map[string]float64 {
	out := map[string]float64{}
	for k, v := range m {
		if strings.HasPrefix(k, prefix) {
			out[k] = v
		}
	}
	return out
}

func readSource(t *testing.T, name, state string) (map[string]float64, error) {
	t.Helper()
	for _, s := range sources(state) {
		if s.name == name {
			rs, err := newPart(s).attempt(t.Context())
			return keyed(t, rs), err
		}
	}
	t.Fatalf("no part %q", name)
	return nil, nil
}

const plainStat = "cpu  100 200 300 4000 50 6 7 8 90 10\ncpu0 100 200 300 4000 50 6 7 8 90 10\n"

func TestCPUTimesAreSecondsByMode(t *testing.T) {
	fakeProc(t, map[string]string{"stat": plainStat})
	got, err := readSource(t, "cpu", "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"host.cpu.time{mode=user}": 1, "host.cpu.time{mode=nice}": 2, "host.cpu.time{mode=system}": 3,
		"host.cpu.time{mode=idle}": 40, "host.cpu.time{mode=iowait}": 0.5, "host.cpu.time{mode=interrupt}": 0.13, "host.cpu.time{mode=steal}": 0.08,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestCPUTimeTakenBackByALittleStands(t *testing.T) {
	dir := fakeProc(t, map[string]string{"stat": "cpu 0 0 0 40000 900 0 0 0 0 0\n"})
	c := &cpuTimes{}
	f := func(stat string, wantIdle, wantWait float64) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o644); err != nil {
			t.Fatal(err)
		}
		rs, err := c.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := keyed(t, rs)
		if got["host.cpu.time{mode=idle}"] != wantIdle || got["host.cpu.time{mode=iowait}"] != wantWait {
			t.Errorf("idle %v, iowait %v, want %v and %v", got["host.cpu.time{mode=idle}"], got["host.cpu.time{mode=iowait}"], wantIdle, wantWait)
		}
	}
	f("cpu 0 0 0 40000 900 0 0 0 0 0\n", 400, 9)
	f("cpu 0 0 0 39900 850 0 0 0 0 0\n", 400, 9)    // estimates taken back
	f("cpu 0 0 0 40100 901 0 0 0 0 0\n", 401, 9.01) // caught up
	f("cpu 0 0 0 10000 901 0 0 0 0 0\n", 100, 9.01) // another machine's counter
}

func TestMemoryUsedIsWhatCannotBeHad(t *testing.T) {
	fakeProc(t, map[string]string{
		"meminfo": "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 600 kB\nBuffers: 10 kB\nCached: 200 kB\nSReclaimable: 5 kB\n",
		"vmstat":  "pswpin 1\n",
	})
	got, err := readSource(t, "memory", "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"host.memory.total": 1000 << 10, "host.memory.available": 600 << 10, "host.memory.used": 400 << 10,
		"host.memory.free": 300 << 10, "host.memory.cached": 205 << 10, "host.memory.buffers": 10 << 10,
	}
	if d := cmp.Diff(want, only(got, "host.memory")); d != "" {
		t.Error(d)
	}
	if _, ok := got["host.swap.used"]; !ok {
		t.Error("swap is absent")
	}
}

// diskstats returns a line with 8 reads of 16 sectors and 4 writes of 2, busy
// for 1.5 s.
func diskstats(name string) string {
	return fmt.Sprintf("   8       0 %s 8 0 16 5 4 0 2 6 0 1500 11 0 0 0 0 0 0\n", name)
}

func TestDisksAreWholeDisksOnly(t *testing.T) {
	var all strings.Builder
	for _, name := range []string{"loop0", "ram0", "zram0", "sr0", "fd0", "dm-0", "md127", "sda", "sda1", "vdb", "vdb15", "xvdf", "xvdf1",
		"nvme0n1", "nvme0n1p1", "nvme10n1", "mmcblk0", "mmcblk0p2", "mmcblk0boot0", "nbd0", "nbd0p1", "sdaa", "cciss/c0d0"} {
		all.WriteString(diskstats(name))
	}
	fakeProc(t, map[string]string{"diskstats": all.String()})
	got, err := readSource(t, "disk", "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{}
	for _, name := range []string{"sda", "vdb", "xvdf", "nvme0n1", "nvme10n1", "mmcblk0", "nbd0", "sdaa", "cciss/c0d0"} {
		want["host.disk.io{device="+name+",direction=read}"] = 16 * 512
		want["host.disk.io{device="+name+",direction=write}"] = 2 * 512
		want["host.disk.operations{device="+name+",direction=read}"] = 8
		want["host.disk.operations{device="+name+",direction=write}"] = 4
		want["host.disk.busy{device="+name+"}"] = 1.5
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// netDev returns a /proc/net/dev with these interfaces.
func netDev(names ...string) string {
	out := "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n"
	for _, n := range names {
		out += fmt.Sprintf("%6s: 100 2 3 4 0 0 0 0 200 5 6 7 0 0 0 0\n", n)
	}
	return out
}

func interfacesOf(m map[string]float64) string {
	var out []string
	for _, n := range []string{"lo", "eth0", "ens5", "enp0s31f6", "ib0", "bond0", "mlx5_0", "wlan0", "hsn0", "rdma0",
		"veth1a2b", "cali12345", "docker0", "br-0a1b", "cni0", "flannel.1", "vxlan.calico", "eni0a1b2c", "gke52", "azv8", "ifb0", "dummy0", "virbr0", "tunl0", "lxc_health"} {
		if _, ok := m["host.network.io{interface="+n+",direction=receive}"]; ok {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}

func TestInterfacesAreTheNodesOwn(t *testing.T) {
	fakeProc(t, map[string]string{"net/dev": netDev("lo", "eth0", "ens5", "enp0s31f6", "ib0", "bond0", "mlx5_0", "wlan0", "hsn0", "rdma0",
		"veth1a2b", "cali12345", "docker0", "br-0a1b", "cni0", "flannel.1", "vxlan.calico", "eni0a1b2c", "gke52", "azv8", "ifb0", "dummy0", "virbr0", "tunl0", "lxc_health")})
	got, err := readSource(t, "network", "")
	if err != nil {
		t.Fatal(err)
	}
	if s := interfacesOf(got); s != "eth0 ens5 enp0s31f6 ib0 bond0 mlx5_0 wlan0 hsn0 rdma0" {
		t.Errorf("interfaces %s", s)
	}
	for key, want := range map[string]float64{
		"host.network.io{interface=eth0,direction=receive}": 100, "host.network.io{interface=eth0,direction=transmit}": 200,
		"host.network.errors{interface=eth0,direction=receive}": 3, "host.network.errors{interface=eth0,direction=transmit}": 6,
		"host.network.dropped{interface=eth0,direction=receive}": 4, "host.network.dropped{interface=eth0,direction=transmit}": 7,
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
}

func TestNetworkOfAContainersHostIsThatOfItsFirstProcess(t *testing.T) {
	fakeProc(t, map[string]string{"net/dev": netDev("eth0"), "1/net/dev": netDev("ens5")})
	got, err := readSource(t, "network", "")
	if err != nil {
		t.Fatal(err)
	}
	if s := interfacesOf(got); s != "ens5" {
		t.Errorf("interfaces %q, want the node's", s)
	}
}

// TestBrokenKernelFilesAreErrors holds the parts against what gopsutil would
// panic on or take for zeros.
func TestBrokenKernelFilesAreErrors(t *testing.T) {
	f := func(part, file, text string) {
		t.Helper()
		fakeProc(t, map[string]string{file: text})
		got, err := readSource(t, part, "")
		if err == nil {
			t.Errorf("%s from %q: no error, %d readings", part, text, len(got))
		}
		if len(got) > 0 {
			t.Errorf("%s from %q: %v", part, text, got)
		}
	}
	f("network", "net/dev", "")
	f("network", "net/dev", netDev()+"eth0: 1 2 3\n")
	f("network", "net/dev", netDev()+"eth0: x 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n")
	f("cpu", "stat", "")
	f("cpu", "stat", "cpu 1 2 x\n")
	f("cpu", "other", "")
	f("memory", "other", "")
	f("memory", "meminfo", "MemFree: 3 kB\n")
	f("disk", "other", "")
}

func TestDeviceDescriptionsAreMadeOnceAndBounded(t *testing.T) {
	type counter struct{ n float64 }
	d := newDevices([]row[counter]{{metric.Desc{Name: "x", Labels: []metric.Label{{Name: "device"}},
		OTel: metric.Alias{Attributes: []metric.Label{{Name: "system.device"}}}}, func(c *counter) float64 { return c.n }}})
	there := map[string]*counter{"bad\xff": {1}}
	for i := range maxDevices {
		there[fmt.Sprintf("d%03d", i)] = &counter{float64(i)}
	}
	first := d.read(there)
	if len(first) != maxDevices {
		t.Fatalf("%d readings", len(first))
	}
	if a := first[3].Desc.OTel.Attributes[0].Value; a != "d003" {
		t.Errorf("the attribute of d003 is %q", a)
	}
	for i := range 1000 {
		there[fmt.Sprintf("c%04d", i)] = &counter{}
	}
	again := d.read(there)
	if d := cmp.Diff(first, again); d != "" {
		t.Error(d)
	}
	for i := range first {
		if first[i].Desc != again[i].Desc {
			t.Fatalf("%s was described twice", first[i].Desc.Key())
		}
	}
	delete(there, "d000")
	again = d.read(there)
	if len(again) != maxDevices || again[0].Desc.Labels[0].Value != "c0000" {
		t.Errorf("%d readings from %q on, want the room of the one that is gone to be taken", len(again), again[0].Desc.Labels[0].Value)
	}
	if len(d.descs) > maxDevices {
		t.Errorf("%d devices are described", len(d.descs))
	}
}

func TestFilesystemsAreThoseOfRootAndState(t *testing.T) {
	got, err := readSource(t, "filesystem", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	total := got["host.filesystem.total{path=/}"]
	if sum := got["host.filesystem.used{path=/}"] + got["host.filesystem.free{path=/}"] + got["host.filesystem.reserved{path=/}"]; total == 0 || sum != total {
		t.Errorf("the states of / add up to %v of %v", sum, total)
	}
	got, err = readSource(t, "filesystem", "/dev/shm")
	if err != nil {
		t.Fatal(err)
	}
	if got["host.filesystem.total{path=/dev/shm}"] == 0 {
		t.Errorf("the filesystem of the state folder is absent: %v", got)
	}
	got, err = readSource(t, "filesystem", "/no/such/folder")
	if err == nil || !strings.Contains(err.Error(), "/no/such/folder") {
		t.Errorf("error %v", err)
	}
	if got["host.filesystem.total{path=/}"] == 0 {
		t.Error("a missing state folder hides the root's filesystem")
	}
}

// script is how a part answers.
type script func() ([]metric.Reading, error)

// scripted is a part whose next answer a test decides.
type scripted struct{ next atomic.Pointer[script] }

var scriptedDesc = &metric.Desc{Name: "host.scripted"}

func answering(f script) *scripted {
	s := &scripted{}
	s.set(f)
	return s
}

func (s *scripted) set(f script) { s.next.Store(&f) }

func (s *scripted) read(context.Context) ([]metric.Reading, error) { return (*s.next.Load())() }

func answer(v float64, err error) script {
	return func() ([]metric.Reading, error) { return []metric.Reading{{Desc: scriptedDesc, Value: v}}, err }
}

func TestAHungPartIsAbsentAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hung, n := answering(answer(1, nil)), 0.0
		well := answering(func() ([]metric.Reading, error) {
			n++
			return []metric.Reading{{Desc: &metric.Desc{Name: "host.well"}, Value: n}}, nil
		})
		r := newReader(Config{Interval: 10 * time.Second, Log: discard, Now: time.Now}, []source{{"hung", hung.read}, {"well", well.read}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		if len(r.Readings()) != 0 {
			t.Error("a reader that has read nothing has readings")
		}
		go func() { r.Run(ctx); close(done) }()
		synctest.Wait()
		got := keyed(t, r.Readings())
		if got["host.scripted"] != 1 || got["host.collect.success{part=hung}"] != 1 {
			t.Errorf("at first: %v", got)
		}
		hung.set(func() ([]metric.Reading, error) { <-release; return nil, nil })
		time.Sleep(29 * time.Second)
		if got = keyed(t, r.Readings()); got["host.scripted"] != 1 {
			t.Errorf("within three intervals the old value is gone: %v", got)
		}
		time.Sleep(12 * time.Second)
		got = keyed(t, r.Readings())
		if _, there := got["host.scripted"]; there || got["host.collect.success{part=hung}"] != 0 {
			t.Errorf("after 41 s: %v", got)
		}
		if got["host.well"] != 5 || got["host.collect.success{part=well}"] != 1 {
			t.Errorf("the other part: %v", got)
		}
		if age := float64(time.Now().Unix()) - got["host.collect.last.timestamp{part=hung}"]; age != 41 {
			t.Errorf("the hung part was last read %v s ago, want 41", age)
		}
		cancel()
		began := time.Now()
		<-done
		if took := time.Since(began); took > farewell {
			t.Errorf("Run took %s to end", took)
		}
		close(release)
	})
}

func TestAFailingPartSaysSoOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := answering(answer(1, errors.New("half of it is missing")))
		r := newReader(Config{Interval: time.Second, Log: textLog(&log), Now: time.Now}, []source{{"disk", s.read}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { r.Run(ctx); close(done) }()
		time.Sleep(5500 * time.Millisecond)
		got := keyed(t, r.Readings())
		if got["host.collect.success{part=disk}"] != 0 || got["host.scripted"] != 1 {
			t.Errorf("what a failing part could read is to be shown, without success: %v", got)
		}
		if _, there := got["host.collect.last.timestamp{part=disk}"]; there {
			t.Error("a part that never succeeded has a time of success")
		}
		s.set(func() ([]metric.Reading, error) { panic("index out of range") })
		time.Sleep(2 * time.Second)
		s.set(answer(2, nil))
		time.Sleep(2 * time.Second)
		cancel()
		<-done
		if got := strings.Count(log.String(), "part of the node is not read"); got != 1 {
			t.Errorf("%d lines of failure:\n%s", got, log.String())
		}
		if got := strings.Count(log.String(), "part of the node is read again"); got != 1 {
			t.Errorf("%d lines of recovery:\n%s", got, log.String())
		}
	})
}

func TestAPlainNodeHasAtMost60Series(t *testing.T) {
	fakeProc(t, map[string]string{
		"stat": plainStat, "loadavg": "0.1 0.2 0.3 1/100 1234\n", "net/dev": netDev("lo", "eth0", "docker0"),
		"meminfo":   "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 600 kB\nBuffers: 10 kB\nCached: 200 kB\n",
		"diskstats": diskstats("nvme0n1") + diskstats("nvme0n1p1") + diskstats("nvme1n1"),
	})
	r := New(Config{State: "/dev/shm"})
	known := map[string]bool{}
	for _, d := range Descs() {
		known[d.Name] = true
	}
	for _, p := range r.parts {
		rs, err := p.attempt(t.Context())
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		p.keep(rs, err, time.Now())
	}
	rs := r.Readings()
	keyed(t, rs)
	if len(rs) > 60 {
		t.Errorf("%d series", len(rs))
	}
	t.Logf("%d series with 2 disks, 1 interface and 2 filesystems", len(rs))
	for _, x := range rs {
		if !known[x.Desc.Name] {
			t.Errorf("%s is not in Descs", x.Desc.Name)
		}
		for _, l := range append(x.Desc.Labels, x.Desc.OTel.Attributes...) {
			if l.Value == "" {
				t.Errorf("%s has an empty label %s", x.Desc.Key(), l.Name)
			}
		}
	}
}

// TestDescsAreLawful wants one help, unit and kind per name, and no two rows with
// the same name and labels, in our words or in OpenTelemetry's.
func TestDescsAreLawful(t *testing.T) {
	byName, keys, otel := map[string]*metric.Desc{}, map[string]bool{}, map[string]bool{}
	for _, d := range Descs() {
		if first := byName[d.Name]; first != nil && (first.Unit != d.Unit || first.Kind != d.Kind || first.Help != d.Help || len(first.Labels) != len(d.Labels)) {
			t.Errorf("%s is described in two ways", d.Key())
		}
		byName[d.Name] = d
		if keys[d.Key()] {
			t.Errorf("%s stands twice", d.Key())
		}
		keys[d.Key()] = true
		alias := fmt.Sprint(d.OTel)
		if d.OTel.Name != "" && otel[alias] {
			t.Errorf("%s has an OpenTelemetry name that another has: %s", d.Key(), alias)
		}
		otel[alias] = true
		if d.Help == "" || !strings.HasSuffix(d.Help, ".") {
			t.Errorf("%s: help %q", d.Key(), d.Help)
		}
	}
}

// TestThisMachineIsReadInFull is about the real files.
func TestThisMachineIsReadInFull(t *testing.T) {
	r := New(Config{State: t.TempDir()})
	for _, p := range r.parts {
		rs, err := p.attempt(t.Context())
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		for key, v := range keyed(t, rs) {
			if v < 0 {
				t.Errorf("%s = %v", key, v)
			}
		}
	}
}

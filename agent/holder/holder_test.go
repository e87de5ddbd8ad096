package holder_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/agent/holder/slurm"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

const (
	gpuA = "GPU-8dd8ed19-3a2c-4b52-9b3c-16a4b0a3c001"
	gpuB = "GPU-8dd8ed19-3a2c-4b52-9b3c-16a4b0a3c002"
	podX = "05d2ef9a-1d5c-4a06-8c8e-9dcd8f2f3e11"
)

var container = strings.Repeat("4cf71cd3b4ae3b2b", 4)

// source is a fake kubelet or Slurm, by what it answers.
type source[T any] struct {
	mu    sync.Mutex // guards what follows
	value T
	err   error
	asked int
	hang  chan struct{} // not nil: List waits for it, whatever ctx says
}

func (s *source[T]) List(context.Context) (T, error) {
	s.mu.Lock()
	hang := s.hang
	s.asked++
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value, s.err
}

func (s *source[T]) set(v T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.err = v, err
}

func (s *source[T]) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// proc is a process file system.
type proc struct {
	t   testing.TB
	dir string
}

func newProc(t testing.TB) proc { return proc{t, t.TempDir()} }

// add adds a process with its control group and environment.
func (p proc) add(pid int, cgroup string, environ ...string) {
	p.t.Helper()
	dir := filepath.Join(p.dir, strconv.Itoa(pid))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	for name, text := range map[string]string{"cgroup": "0::" + cgroup + "\n", "environ": strings.Join(environ, "\x00")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

func find(t testing.TB, cfg holder.Config) *holder.Finder {
	t.Helper()
	if cfg.Proc == "" {
		cfg.Proc = t.TempDir()
	}
	if cfg.PodLogs == "" {
		cfg.PodLogs = t.TempDir()
	}
	f, err := holder.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// start runs a finder until the end of the test, and waits for its first answers.
func start(t *testing.T, f *holder.Finder) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	synctest.Wait()
}

func look(uuid string, at time.Duration, pids ...int) metric.Look {
	l := metric.Look{GPU: metric.GPU{UUID: uuid, Index: 3, Device: "nvidia3"}, Condition: metric.Good, At: at, ProcessesKnown: true}
	for _, pid := range pids {
		l.Processes = append(l.Processes, metric.Process{PID: pid})
	}
	return l
}

func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func check(t *testing.T, f *holder.Finder, l metric.Look, want ...usage.Holder) {
	t.Helper()
	got, known := f.Holders(l)
	if diff := cmp.Diff(want, got); diff != "" || known != (want != nil) {
		t.Errorf("known %v, holders (-want +got):\n%s", known, diff)
	}
}

func TestProcessesTellPodContainerJobAndUser(t *testing.T) {
	p := newProc(t)
	p.add(10, "/user.slice/user-1000.slice/session-3.scope")
	p.add(11, "/user.slice/user-1000.slice/session-3.scope")
	p.add(12, "/system.slice/docker-"+container+".scope", "SLURM_JOB_ID=1")
	p.add(13, "/kubepods/besteffort/pod"+podX+"/"+container)
	p.add(14, "/system.slice/slurmstepd.scope/job_41/step_0/user/task_0")
	p.add(15, "/system.slice/slurmd.service", "SLURM_JOB_ID=42", "SLURM_JOB_ACCOUNT=physics", "SLURM_JOB_USER=root")
	f := find(t, holder.Config{Proc: p.dir})
	user := usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: me(t)}
	check(t, f, look(gpuA, 1, 10, 11, 12, 13, 15, 99),
		usage.Holder{Basis: usage.BasisProcess, Kind: "container", Name: container[:12]},
		usage.Holder{Basis: usage.BasisProcess, Kind: "job", Group: "physics", Name: "42", Part: me(t)},
		usage.Holder{Basis: usage.BasisProcess, Kind: "pod", Name: podX},
		user, usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "unknown"}) // 99 has ended
	check(t, f, look(gpuA, 2, 10, 11), user)
	check(t, f, look(gpuA, 3, 10, 14), usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Name: "41", Part: me(t)})
}

func TestProcessIsReadAgainAfterHalfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(t)
		p.add(10, "/system.slice/docker-"+container+".scope")
		f := find(t, holder.Config{Proc: p.dir})
		held := usage.Holder{Basis: usage.BasisProcess, Kind: "container", Name: container[:12]}
		check(t, f, look(gpuA, 1, 10), held)
		p.add(10, "/user.slice")
		time.Sleep(29 * time.Second)
		check(t, f, look(gpuA, 2, 10), held)
		time.Sleep(2 * time.Second)
		check(t, f, look(gpuA, 3, 10), usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: me(t)})
		// Another process can have the id of one that is gone.
		check(t, f, look(gpuA, 4), usage.Holder{Basis: usage.BasisProcess})
		p.add(10, "/system.slice/docker-"+container+".scope")
		check(t, f, look(gpuA, 5, 10), held)
	})
}

func TestNoProcessIsAFreeGPUAndNoListIsNoKnowledge(t *testing.T) {
	f := find(t, holder.Config{})
	check(t, f, look(gpuA, 1), usage.Holder{Basis: usage.BasisProcess})
	l := look(gpuA, 2)
	l.ProcessesKnown = false
	check(t, f, l)
}

func TestPodLogsTellThePodsOfProcesses(t *testing.T) {
	p, logs := newProc(t), t.TempDir()
	p.add(13, "/kubepods/besteffort/pod"+podX+"/"+container)
	if err := os.Mkdir(filepath.Join(logs, "research_train-0_"+podX), 0o755); err != nil {
		t.Fatal(err)
	}
	check(t, find(t, holder.Config{Proc: p.dir, PodLogs: logs}), look(gpuA, 1, 13),
		usage.Holder{Basis: usage.BasisProcess, Kind: "pod", Group: "research", Name: "train-0"})
}

func use(pod, uuid string) kubelet.Use {
	return kubelet.Use{Namespace: "n", Pod: pod, Container: "c", Device: kubelet.Device{UUID: uuid}}
}

func podHolder(name string) usage.Holder {
	return usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "n", Name: name, Part: "c"}
}

func TestKubeletNamesPodsWhereNothingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &source[[]kubelet.Use]{value: []kubelet.Use{use("x", gpuA), use("y", gpuA)}}
		f := find(t, holder.Config{Kubelet: k})
		start(t, f)
		check(t, f, look(gpuB, 1), usage.Holder{Basis: usage.BasisProcess}) // gpuA is not known yet
		check(t, f, look(gpuA, 1), podHolder("x"), podHolder("y"))
		check(t, f, look(gpuB, 2), usage.Holder{Basis: usage.BasisKubelet})
	})
}

func TestSlurmComesBeforeTheKubeletAndThatBeforeProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(t)
		p.add(10, "/")
		k := &source[[]kubelet.Use]{value: []kubelet.Use{use("x", gpuA)}}
		s := &source[slurm.Jobs]{err: slurm.ErrAbsent}
		f := find(t, holder.Config{Kubelet: k, Slurm: s, Proc: p.dir})
		start(t, f)
		check(t, f, look(gpuA, 1, 10), podHolder("x"))
		s.set(slurm.Jobs{ByID: map[string]slurm.Job{
			"7": {ID: "7", Account: "physics", User: "ada", GPUs: []int{2, 3}},
			"8": {ID: "8", Account: "physics", User: "ada", GPUs: []int{1}},
			"6": {ID: "6", User: "eve", GPUs: []int{3}, UUIDs: []string{gpuB}}, // numbers of another node
		}, Files: map[string][]string{"3": {"9", "7"}, "3.1": {"10"}, "4": {"11"}}}, nil)
		time.Sleep(11 * time.Second)
		check(t, f, look(gpuA, 2, 10),
			usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Name: "9"},
			usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: "physics", Name: "7", Part: "ada"})
	})
}

func TestUnknownDevicesLeaveItOpenWhetherAGPUIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &source[[]kubelet.Use]{value: []kubelet.Use{use("x", "GPU-new")}}
		f := find(t, holder.Config{Kubelet: k})
		start(t, f)
		l := look(gpuA, 1)
		l.ProcessesKnown = false
		check(t, f, l)
		if got := reading(f, "gpumeter.holder.unmatched", ""); got != 1 {
			t.Errorf("unmatched = %v, want 1", got)
		}
		f.Add(map[string][]usage.Holder{}, metric.Look{GPU: metric.GPU{UUID: "GPU-new"}, Condition: metric.Lost})
		l.At = 2
		check(t, f, l, usage.Holder{Basis: usage.BasisKubelet})
	})
}

// reading is a metric of a finder; -1 if it is absent.
func reading(f *holder.Finder, name, source string) float64 {
	for _, r := range f.Readings() {
		if r.Desc.Name == name && (source == "" || r.Desc.Labels[0].Value == source) {
			return r.Value
		}
	}
	return -1
}

func TestKubeletThatFailsIsNotBelievedAfterThreeCadences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &source[[]kubelet.Use]{value: []kubelet.Use{use("x", gpuA)}}
		f := find(t, holder.Config{Kubelet: k})
		start(t, f)
		k.set(nil, errors.New("connection refused"))
		time.Sleep(29 * time.Second)
		check(t, f, look(gpuA, 1), podHolder("x"))
		time.Sleep(2 * time.Second)
		check(t, f, look(gpuA, 2), usage.Holder{Basis: usage.BasisProcess})
		if up, n := reading(f, "gpumeter.holder.source.up", "kubelet"), reading(f, "gpumeter.holder.source.errors", "kubelet"); up != 0 || n != 3 {
			t.Errorf("up %v, errors %v, want 0 and 3", up, n)
		}
		k.set([]kubelet.Use{use("y", gpuA)}, nil)
		time.Sleep(10 * time.Second)
		check(t, f, look(gpuA, 3), podHolder("y"))
		if up := reading(f, "gpumeter.holder.source.up", "kubelet"); up != 1 {
			t.Errorf("up %v, want 1", up)
		}
	})
}

func TestNodeWithoutKubeletSaysNothingOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := find(t, holder.Config{Kubelet: &source[[]kubelet.Use]{err: kubelet.ErrAbsent}, Slurm: &source[slurm.Jobs]{err: slurm.ErrAbsent}})
		start(t, f)
		if rs := f.Readings(); len(rs) != 0 {
			t.Errorf("readings = %v, want none", rs)
		}
		check(t, f, look(gpuA, 1), usage.Holder{Basis: usage.BasisProcess})
	})
}

func TestSourceThatHangsHoldsUpNoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(t)
		p.add(10, "/")
		k := &source[[]kubelet.Use]{value: []kubelet.Use{use("x", gpuA)}}
		f := find(t, holder.Config{Kubelet: k, Proc: p.dir})
		start(t, f)
		k.mu.Lock()
		k.hang = make(chan struct{})
		k.mu.Unlock()
		defer close(k.hang)
		time.Sleep(time.Second)
		began := time.Now()
		for i := range 60 {
			pids := []int{10}[:i%2] // comes and goes with every look
			f.Holders(look(gpuA, time.Duration(i+1), pids...))
			time.Sleep(time.Second)
		}
		// Each of the looks may wait a tenth of a second while the answer is good.
		if d := time.Since(began); d > 64*time.Second {
			t.Errorf("60 looks took %s, want a minute and little more", d)
		}
		if n := k.count(); n != 2 {
			t.Errorf("a source that hangs was asked %d times, want 2", n)
		}
		check(t, f, look(gpuA, time.Hour), usage.Holder{Basis: usage.BasisProcess})
	})
}

func TestNewProcessHasTheKubeletAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(t)
		p.add(10, "/kubepods/besteffort/pod"+podX+"/"+container)
		k := &source[[]kubelet.Use]{}
		f := find(t, holder.Config{Kubelet: k, Proc: p.dir})
		start(t, f)
		time.Sleep(3 * time.Second)
		check(t, f, look(gpuA, 1), usage.Holder{Basis: usage.BasisKubelet})
		k.set([]kubelet.Use{use("x", gpuA)}, nil)
		check(t, f, look(gpuA, 2, 10), podHolder("x"))
	})
}

func TestPodThatComesAndGoesTenTimesIsThereEveryTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(t)
		p.add(10, "/kubepods/besteffort/pod"+podX+"/"+container)
		k := &source[[]kubelet.Use]{}
		f := find(t, holder.Config{Kubelet: k, Proc: p.dir})
		start(t, f)
		time.Sleep(time.Second / 2) // not together with the cadence
		for sec := range 60 {
			time.Sleep(time.Second)
			if sec%6 < 3 {
				k.set([]kubelet.Use{use("x", gpuA)}, nil)
				check(t, f, look(gpuA, time.Duration(sec+1), 10), podHolder("x"))
				continue
			}
			k.set(nil, nil)
			check(t, f, look(gpuA, time.Duration(sec+1)), usage.Holder{Basis: usage.BasisKubelet})
		}
		if n := k.count(); n > 30 {
			t.Errorf("asked %d times for 20 changes, want at most 30", n)
		}
	})
}

func TestSourcesSayWhichOfThemWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &source[[]kubelet.Use]{}
		f := find(t, holder.Config{Kubelet: k, Slurm: &source[slurm.Jobs]{err: slurm.ErrAbsent}})
		is := func(want ...holder.Source) {
			t.Helper()
			if diff := cmp.Diff(append(want, holder.Source{Name: "processes", State: "works"}), f.Sources()); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
		}
		is(holder.Source{Name: "slurm", State: "absent", Detail: "it was not asked yet"},
			holder.Source{Name: "kubelet", State: "absent", Detail: "it was not asked yet"})
		start(t, f)
		none := holder.Source{Name: "slurm", State: "absent", Detail: "no Slurm here"}
		is(none, holder.Source{Name: "kubelet", State: "works"})
		k.set(nil, errors.New("connection refused"))
		time.Sleep(11 * time.Second)
		is(none, holder.Source{Name: "kubelet", State: "works", Detail: "what it said 11s ago still counts: connection refused"})
		time.Sleep(20 * time.Second)
		is(none, holder.Source{Name: "kubelet", State: "fails", Detail: "connection refused"})
	})
}

// divided is a GPU of seven instances.
func divided(at time.Duration) metric.Look {
	l := look(gpuA, at)
	l.MIG = true
	for i := range 7 {
		l.Instances = append(l.Instances, metric.Instance{ID: i + 7, Profile: "1g.10gb", Slices: 1, Of: 7,
			Compute: []metric.ComputeInstance{{UUID: fmt.Sprintf("MIG-%d", i), Slices: 1, ProcessesKnown: true}}})
	}
	return l
}

func TestInstancesHaveHoldersOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(t)
		p.add(10, "/")
		k := &source[[]kubelet.Use]{value: []kubelet.Use{
			use("x", "MIG-0"),
			{Namespace: "n", Pod: "y", Container: "c", Device: kubelet.Device{UUID: gpuA, Part: &kubelet.Part{Instance: 8}}},
			{Namespace: "n", Pod: "z", Container: "c", Device: kubelet.Device{Node: "nvidia3", Part: &kubelet.Part{Instance: 9, Compute: -1}}},
		}}
		s := &source[slurm.Jobs]{value: slurm.Jobs{ByID: map[string]slurm.Job{"5": {ID: "5", UUIDs: []string{"MIG-3"}, GPUs: []int{3}}}, Files: map[string][]string{"3.11": {"6"}}}}
		f := find(t, holder.Config{Kubelet: k, Slurm: s, Proc: p.dir})
		start(t, f)
		l := divided(1)
		l.Instances[5].Compute[0].Processes = []metric.Process{{PID: 10}}
		want := map[string][]usage.Holder{
			"MIG-0": {podHolder("x")}, "MIG-1": {podHolder("y")}, "MIG-2": {podHolder("z")},
			"MIG-3": {{Basis: usage.BasisScheduler, Kind: "job", Name: "5"}},
			"MIG-4": {{Basis: usage.BasisScheduler, Kind: "job", Name: "6"}},
			"MIG-5": {{Basis: usage.BasisProcess, Kind: "user", Name: me(t)}},
			"MIG-6": {{Basis: usage.BasisKubelet}},
		}
		all := []usage.Holder{want["MIG-6"][0], want["MIG-3"][0], want["MIG-4"][0], podHolder("x"), podHolder("y"), podHolder("z"), want["MIG-5"][0]}
		check(t, f, l, all...)
		for uuid, hs := range want {
			if got, known := f.Part(l, uuid); !known || !cmp.Equal(hs, got) {
				t.Errorf("%s: known %v, holders %+v, want %+v", uuid, known, got, hs)
			}
		}
		want[gpuA] = all
		got := map[string][]usage.Holder{}
		f.Add(got, l)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Add (-want +got):\n%s", diff)
		}
	})
}

func TestInstanceThatSeveralFitIsNotGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := kubelet.Device{Node: "nvidia3", Part: &kubelet.Part{Instance: -1, Compute: -1, Profile: "1g.10gb"}}
		k := &source[[]kubelet.Use]{value: []kubelet.Use{{Namespace: "n", Pod: "x", Container: "c", Device: device}}}
		f := find(t, holder.Config{Kubelet: k})
		start(t, f)
		check(t, f, divided(1), usage.Holder{Basis: usage.BasisProcess})
		l := divided(2)
		l.Instances[0].Profile = "1g.20gb"
		l.Instances = l.Instances[:2]
		if hs, known := f.Part(l, "MIG-1"); !known || !cmp.Equal(hs, []usage.Holder{podHolder("x")}) {
			t.Errorf("the only one of its profile: %+v, %v, want pod x", hs, known)
		}
	})
}

func TestDividedGPUIsKnownWhereAllOfItIs(t *testing.T) {
	f := find(t, holder.Config{})
	l := divided(1)
	l.Instances[6].Compute[0].ProcessesKnown = false
	if hs, known := f.Holders(l); known {
		t.Errorf("known although one instance is not: %+v", hs)
	}
	if hs, known := f.Part(l, "MIG-5"); !known || hs[0].Held() {
		t.Errorf("a free instance: %+v, %v", hs, known)
	}
}

package slurm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/holder/slurm"
)

// tree is a node's /sys/fs/cgroup and /proc, as files.
type tree struct {
	t            *testing.T
	cgroup, proc string
}

func newTree(t *testing.T) tree {
	return tree{t, filepath.Join(t.TempDir(), "cgroup"), filepath.Join(t.TempDir(), "proc")}
}

func (x tree) write(name, text string) {
	x.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// group puts processes into a control group.
func (x tree) group(path string, pids ...int) {
	x.t.Helper()
	var text strings.Builder
	for _, pid := range pids {
		text.WriteString(strconv.Itoa(pid) + "\n")
	}
	x.write(filepath.Join(x.cgroup, path, "cgroup.procs"), text.String())
}

// process gives a process its environment.
func (x tree) process(pid int, environ ...string) {
	x.t.Helper()
	x.write(filepath.Join(x.proc, strconv.Itoa(pid), "environ"), strings.Join(environ, "\x00")+"\x00")
}

func (x tree) list(files string) (slurm.Jobs, error) {
	return slurm.New(slurm.Config{Cgroup: x.cgroup, Proc: x.proc, JobFiles: files}).List(x.t.Context())
}

func TestListReadsJobsOfBothCgroupVersions(t *testing.T) {
	for version, root := range map[string]string{
		"v1":                  "freezer/slurm/uid_1000/job_41",
		"v1, named daemon":    "memory/slurm_node7/uid_1000/job_41",
		"v2":                  "system.slice/slurmstepd.scope/job_41",
		"v2, several daemons": "system.slice/node7_slurmstepd.scope/job_41",
	} {
		t.Run(version, func(t *testing.T) {
			x := newTree(t)
			x.group(root+"/step_extern/user/task_special", 100)
			x.group(root+"/step_batch/slurm", 101) // the step daemon has another environment
			x.group(root+"/step_batch/user/task_0", 103, 102)
			x.group(root+"/step_0/user/task_0", 104)
			x.process(100, "PATH=/bin")
			x.process(101, "SLURM_JOB_ID=41", "SLURM_JOB_ACCOUNT=daemon")
			x.process(102, "SLURM_JOB_ID=41", "SLURM_JOB_ACCOUNT=physics", "SLURM_JOB_USER=ada", "SLURM_JOB_PARTITION=h100",
				"SLURM_CLUSTER_NAME=alps", "SLURM_JOB_GPUS=2,0-1", "CUDA_VISIBLE_DEVICES=0,1,2", "AWS_SECRET_ACCESS_KEY=x")
			x.process(103, "SLURM_JOB_ID=41", "SLURM_JOB_ACCOUNT=stolen")
			x.process(104, "SLURM_JOB_ID=41", "SLURM_JOB_GPUS=7", "SLURM_STEP_GPUS=1", "SLURM_JOB_ACCOUNT=physics")
			got, err := x.list("")
			want := slurm.Jobs{ByID: map[string]slurm.Job{"41": {ID: "41", Account: "physics", User: "ada", Partition: "h100", Cluster: "alps", GPUs: []int{0, 1, 2}}}}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("error %v, jobs (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestListTakesUUIDsWhereSlurmGaveThem(t *testing.T) {
	x := newTree(t)
	x.group("system.slice/slurmstepd.scope/job_5/step_batch/user/task_0", 7)
	x.process(7, "SLURM_JOB_ID=5", "SLURM_JOB_GPUS=0", "CUDA_VISIBLE_DEVICES=MIG-a,MIG-b")
	got, err := x.list("")
	if diff := cmp.Diff([]string{"MIG-a", "MIG-b"}, got.ByID["5"].UUIDs); diff != "" || err != nil {
		t.Errorf("error %v, UUIDs (-want +got):\n%s", err, diff)
	}
}

func TestJobWithoutGPUsHasNone(t *testing.T) {
	x := newTree(t)
	x.group("system.slice/slurmstepd.scope/job_5/step_batch/user/task_0", 7)
	x.process(7, "SLURM_JOB_ID=5", "CUDA_VISIBLE_DEVICES=GPU-mine", "SLURM_JOB_ACCOUNT=a")
	got, err := x.list("")
	if diff := cmp.Diff(slurm.Job{ID: "5", Account: "a"}, got.ByID["5"]); diff != "" || err != nil {
		t.Errorf("error %v, job (-want +got):\n%s", err, diff)
	}
}

func TestJobIsKnownWhereItsEnvironmentIsNot(t *testing.T) {
	x := newTree(t)
	x.group("system.slice/slurmstepd.scope/job_5/step_0/user/task_0", 7) // 7 has ended
	x.group("system.slice/slurmstepd.scope/job_6/step_0/user/task_0", 8)
	x.process(8, "SLURM_JOB_ID=9", "SLURM_JOB_ACCOUNT=other")
	got, err := x.list("")
	want := slurm.Jobs{ByID: map[string]slurm.Job{"5": {ID: "5"}, "6": {ID: "6"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, jobs (-want +got):\n%s", err, diff)
	}
}

func TestListSaysThatThereIsNoSlurm(t *testing.T) {
	x := newTree(t)
	x.group("system.slice/ssh.service", 1)
	if _, err := x.list(""); !errors.Is(err, slurm.ErrAbsent) {
		t.Errorf("List = %v, want %v", err, slurm.ErrAbsent)
	}
}

func TestListStopsWhenAskedTo(t *testing.T) {
	x := newTree(t)
	x.group("system.slice/slurmstepd.scope/job_5/step_0/user/task_0", 7)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := slurm.New(slurm.Config{Cgroup: x.cgroup, Proc: x.proc}).List(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("List = %v, want %v", err, context.Canceled)
	}
}

func TestListReadsJobFiles(t *testing.T) {
	x := newTree(t)
	dir := t.TempDir()
	x.write(filepath.Join(dir, "0"), "job1\njob2\n")
	x.write(filepath.Join(dir, "1"), "")
	x.write(filepath.Join(dir, "3.7"), "  77 \r\n\n77\n")
	x.write(filepath.Join(dir, "README"), "not a GPU")
	x.write(filepath.Join(dir, "2.x"), "not an instance")
	if err := os.Mkdir(filepath.Join(dir, "4"), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := x.list(dir)
	want := map[string][]string{"0": {"job1", "job2"}, "1": nil, "3.7": {"77"}}
	if diff := cmp.Diff(want, got.Files); diff != "" || err != nil {
		t.Errorf("error %v, files (-want +got):\n%s", err, diff)
	}
}

func TestFolderOfJobFilesMayComeLater(t *testing.T) {
	x := newTree(t)
	if got, err := x.list(filepath.Join(t.TempDir(), "later")); err != nil || len(got.Files) != 0 {
		t.Errorf("List = %+v, %v, want no files and no error", got, err)
	}
}

func TestJobOfKnowsRecordedPaths(t *testing.T) {
	for path, want := range map[string]string{
		"/slurm/uid_1000/job_123/step_0/task_0":                                                                 "123",
		"/slurm/uid_0/job_9/step_batch":                                                                         "9",
		"/slurm_node1/uid_1000/job_123/step_extern/task_0":                                                      "123",
		"/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0":                                            "4711",
		"/system.slice/node1_slurmstepd.scope/job_4711/step_batch/user/task_special":                            "4711",
		"/../../system.slice/slurmstepd.scope/job_8/step_0/user/task_0":                                         "8",
		"/kubepods.slice/kubepods-pod1.slice/cri-containerd-0.scope/system.slice/slurmstepd.scope/job_5/step_0": "5",
		"/system.slice/slurmstepd.scope/job_12/step_0/user/task_0/machine.slice/libpod-0123456789abcdef.scope":  "12",
		"/": "",
		"":  "",
		"/user.slice/user-1000.slice/user@1000.service/slurmstepd.scope/job_5": "",
		"/user.slice/user-1000.slice/job_5":                                    "",
		"/system.slice/slurmd.service":                                         "",
		"/system.slice/slurmstepd.scope/system":                                "",
		"/system.slice/slurmstepd.scope/job_":                                  "",
		"/slurm/uid_1/job_../step_0":                                           "",
		"/docker/job_5":                                                        "",
		"/user.slice/x_slurmstepd.scope.d/job_5":                               "",
	} {
		if got, ok := slurm.JobOf(path); got != want || ok != (want != "") {
			t.Errorf("JobOf(%q) = %q, %v, want %q", path, got, ok, want)
		}
	}
}

// FuzzJobOf holds that a job is a whole word of its path.
func FuzzJobOf(f *testing.F) {
	f.Add("/slurm/uid_1000/job_123/step_0/task_0")
	f.Add("/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0")
	f.Fuzz(func(t *testing.T, path string) {
		id, ok := slurm.JobOf(path)
		if !ok {
			if id != "" {
				t.Errorf("JobOf(%q) = %q although there is none", path, id)
			}
			return
		}
		if !strings.Contains(path+"/", "/job_"+id+"/") {
			t.Errorf("JobOf(%q) = %q, which is not in it", path, id)
		}
		if deeper, _ := slurm.JobOf(path + "/uid_7/job_8x"); deeper != id {
			t.Errorf("what is below %q is of job %q, want %q", path, deeper, id)
		}
	})
}

// FuzzParseEnviron holds that nothing but Slurm's variables is kept, as written.
func FuzzParseEnviron(f *testing.F) {
	f.Add([]byte("SLURM_JOB_ID=5\x00HOME=/root\x00SLURM_JOB_ACCOUNT=a=b\x00\x00=\x00SLURM_JOB_ID=6"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, value := range slurm.ParseEnviron(b) {
			if !strings.HasPrefix(name, "SLURM_") && name != "CUDA_VISIBLE_DEVICES" {
				t.Errorf("kept %q, which is not Slurm's", name)
			}
			if strings.Contains(value, "\x00") || !strings.Contains("\x00"+string(b)+"\x00", "\x00"+name+"="+value+"\x00") {
				t.Errorf("kept %s=%q, which is not in %q", name, value, b)
			}
		}
	})
}

// FuzzParseJobFile holds that ids are lines, each once.
func FuzzParseJobFile(f *testing.F) {
	f.Add("1\n2\r\n\n 3 ")
	f.Fuzz(func(t *testing.T, text string) {
		seen := map[string]bool{}
		for _, id := range slurm.ParseJobFile(text) {
			if id == "" || seen[id] || strings.Contains(id, "\n") || !strings.Contains(text, id) {
				t.Errorf("ParseJobFile(%q) has %q", text, id)
			}
			seen[id] = true
		}
	})
}

// TestStepIsAskedOnce: what it was told does not change, and its first process,
// which Slurm started, may end before the others.
func TestStepIsAskedOnce(t *testing.T) {
	x := newTree(t)
	group := "freezer/slurm/uid_1/job_5/step_batch"
	x.group(group, 7)
	n := slurm.New(slurm.Config{Cgroup: x.cgroup, Proc: x.proc})
	f := func(when, account string) {
		t.Helper()
		got, err := n.List(t.Context())
		if err != nil || got.ByID["5"].Account != account {
			t.Errorf("%s: %+v, %v, want account %q", when, got.ByID["5"], err, account)
		}
	}
	f("before the script starts", "")
	x.process(7, "SLURM_JOB_ID=5", "SLURM_JOB_ACCOUNT=physics")
	f("when it runs", "physics")
	x.process(7, "SLURM_JOB_ID=5", "SLURM_JOB_ACCOUNT=stolen")
	f("later", "physics")
	if err := os.RemoveAll(filepath.Join(x.cgroup, group)); err != nil {
		t.Fatal(err)
	}
	f("after its end", "")
	x.group(group, 8)
	x.process(8, "SLURM_JOB_ID=5", "SLURM_JOB_ACCOUNT=biology")
	f("when the job comes again", "biology")
	// The folder is another one although nobody looked in between.
	if err := os.RemoveAll(filepath.Join(x.cgroup, group)); err != nil {
		t.Fatal(err)
	}
	x.process(9, "SLURM_JOB_ID=5", "SLURM_JOB_ACCOUNT=arts")
	x.group(group, 9)
	f("when it comes again at once", "arts")
}

// TestLastJobTakesSlurmsFoldersAway: that is an answer, and no failure after
// which the job would be believed to go on.
func TestLastJobTakesSlurmsFoldersAway(t *testing.T) {
	x := newTree(t)
	x.group("freezer/slurm_node7/uid_1/job_5/step_batch", 7)
	x.process(7, "SLURM_JOB_ID=5")
	n := slurm.New(slurm.Config{Cgroup: x.cgroup, Proc: x.proc})
	if got, err := n.List(t.Context()); err != nil || len(got.ByID) != 1 {
		t.Fatalf("while it runs: %+v, %v, want the job", got, err)
	}
	for _, gone := range []string{"freezer/slurm_node7/uid_1", "freezer"} {
		if err := os.RemoveAll(filepath.Join(x.cgroup, gone)); err != nil {
			t.Fatal(err)
		}
		if got, err := n.List(t.Context()); err != nil || len(got.ByID) != 0 {
			t.Errorf("without %s: %+v, %v, want no job", gone, got, err)
		}
	}
}

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slurmNode is a cluster of Slurm with one node, which is this machine. It has
// four GPUs, which are device nodes of /dev/null.
type slurmNode struct {
	t   *testing.T
	dir string
}

const (
	slurmNodeName = "gpumeter-e2e"
	slurmGPUs     = 4
)

func newSlurmNode(t *testing.T) *slurmNode {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("Slurm's node daemon starts jobs as other users: run as root")
	}
	// The jobs' users read what is in it, and must be able to get there.
	dir, err := os.MkdirTemp("/tmp", "slurm")
	if err != nil {
		t.Fatal(err)
	}
	n := &slurmNode{t, dir}
	t.Cleanup(func() {
		// The daemon leaves empty groups behind.
		for _, pattern := range []string{"/uid_*", ""} {
			groups, _ := filepath.Glob("/sys/fs/cgroup/*/slurm_" + slurmNodeName + pattern)
			for _, g := range groups {
				_ = os.Remove(g)
			}
		}
		_ = os.RemoveAll(dir)
	})
	n.configure()
	n.daemon("munged", "--foreground", "--force", "--key-file="+n.file("munge.key"), "--socket="+n.file("munge.sock"),
		"--pid-file="+n.file("munged.pid"), "--log-file="+n.file("munge.log"), "--seed-file="+n.file("munge.seed"))
	n.daemon("slurmctld", "-D", "-f", n.file("slurm.conf"))
	n.daemon("slurmd", "-D", "-f", n.file("slurm.conf"), "-N", slurmNodeName)
	n.until("the node is idle", func() bool { return strings.TrimSpace(n.ask("sinfo", "-h", "-o", "%T")) == "idle" })
	return n
}

func (n *slurmNode) file(name string) string { return filepath.Join(n.dir, name) }

// slurmConf has no database: Slurm knows the account that a job names, all the
// same. Everything listens on loopback.
const slurmConf = `ClusterName=e2e
SlurmctldHost=%[1]s(127.0.0.1)
SlurmctldPort=%[2]s
SlurmdPort=%[3]s
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
SlurmdParameters=config_overrides
AuthType=auth/munge
AuthInfo=socket=%[4]s/munge.sock
CredType=cred/munge
StateSaveLocation=%[4]s/state
SlurmdSpoolDir=%[4]s/spool
SlurmctldPidFile=%[4]s/slurmctld.pid
SlurmdPidFile=%[4]s/slurmd.pid
ProctrackType=proctrack/cgroup
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
GresTypes=gpu
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
NodeName=%[5]s NodeHostname=%[1]s NodeAddr=127.0.0.1 CPUs=4 Gres=gpu:h100:%[6]d State=UNKNOWN
PartitionName=h100 Nodes=%[5]s Default=YES MaxTime=INFINITE State=UP
`

func (n *slurmNode) configure() {
	n.t.Helper()
	host, err := os.Hostname()
	if err != nil {
		n.t.Fatal(err)
	}
	files := map[string]string{
		"slurm.conf": fmt.Sprintf(slurmConf, host, port(n.t), port(n.t), n.dir, slurmNodeName, slurmGPUs),
		"gres.conf":  fmt.Sprintf("NodeName=%s Name=gpu Type=h100 File=%s/nvidia[0-%d] Flags=nvidia_gpu_env\n", slurmNodeName, n.dir, slurmGPUs-1),
		// IgnoreSystemd is for machines with the second version of control groups.
		"cgroup.conf": "CgroupPlugin=autodetect\nIgnoreSystemd=yes\n",
		"munge.key":   strings.Repeat("not a secret, and for this test only ", 8),
	}
	for name, text := range files {
		if err := os.WriteFile(n.file(name), []byte(text), 0o600); err != nil {
			n.t.Fatal(err)
		}
	}
	for i := range slurmGPUs {
		n.run("mknod", n.file(fmt.Sprint("nvidia", i)), "c", "1", "3")
	}
	for _, name := range []string{"", "state", "spool"} {
		if err := os.MkdirAll(n.file(name), 0o755); err != nil {
			n.t.Fatal(err)
		}
	}
	if err := os.Chmod(n.dir, 0o755); err != nil {
		n.t.Fatal(err)
	}
}

// port returns a free port on loopback.
func port(t *testing.T) string {
	t.Helper()
	_, p, err := net.SplitHostPort(address(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// daemon starts a program and ends it with the test.
func (n *slurmNode) daemon(name string, args ...string) {
	n.t.Helper()
	start(n.t, n.command(context.Background(), name, args...))
}

// start starts a program, and ends it with the test. What it says is shown if
// the test fails.
func start(t *testing.T, cmd *exec.Cmd) (end func()) {
	t.Helper()
	out := &safe{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	end = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	}
	t.Cleanup(func() {
		end()
		if text := out.String(); t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), text[max(0, len(text)-3000):])
		}
	})
	return end
}

func (n *slurmNode) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, tool(n.t, name), args...)
	cmd.Env = append(os.Environ(), "SLURM_CONF="+n.file("slurm.conf"))
	return cmd
}

// ask returns what a program prints; empty if it fails. It may be called when the
// test is over.
func (n *slurmNode) ask(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := n.command(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return string(out)
}

func (n *slurmNode) run(name string, args ...string) string {
	n.t.Helper()
	out, err := n.command(n.t.Context(), name, args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func (n *slurmNode) until(what string, f func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !f(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatalf("it did not happen within a minute that %s", what)
		}
	}
}

// job is one job that was given to Slurm.
type job struct {
	node              *slurmNode
	id, account, user string
	gpus              int
	began, ended      time.Time
}

// submit starts a job that sleeps, and returns when it runs. It ends with the
// test at the latest.
func (n *slurmNode) submit(account, user string, gpus int, d time.Duration) *job {
	n.t.Helper()
	j := &job{node: n, account: account, user: user, gpus: gpus}
	j.id = strings.TrimSpace(n.run("sbatch", "--parsable", "--uid="+user, "--account="+account, fmt.Sprint("--gres=gpu:", gpus),
		"--chdir=/", "--output=/dev/null", "--wrap", fmt.Sprint("sleep ", d.Seconds())))
	n.t.Cleanup(j.cancel)
	n.until("job "+j.id+" runs", func() bool { return j.state() == "RUNNING" })
	j.began = time.Now()
	return j
}

// cancel ends a job that still runs, with all that it started.
func (j *job) cancel() {
	j.node.ask("scancel", j.id)
	for range 100 {
		if s := j.state(); s != "RUNNING" && s != "COMPLETING" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	j.node.t.Errorf("job %s cannot be cancelled", j.id)
}

var jobState = regexp.MustCompile(`JobState=(\w+)`)

func (j *job) state() string {
	m := jobState.FindStringSubmatch(j.node.ask("scontrol", "show", "job", j.id))
	if m == nil {
		return ""
	}
	return m[1]
}

// wait returns when the job has ended.
func (j *job) wait() {
	j.node.t.Helper()
	j.node.until("job "+j.id+" is done", func() bool { return j.state() == "COMPLETED" })
	j.ended = time.Now()
}

// pid returns the id of one of the job's processes. Slurm says that a job runs
// before it does.
func (j *job) pid() (pid int) {
	j.node.t.Helper()
	j.node.until("job "+j.id+" has a process", func() bool {
		for line := range strings.Lines(j.node.ask("scontrol", "listpids", j.id, slurmNodeName)) {
			if words := strings.Fields(line); len(words) > 1 && words[1] == j.id {
				pid, _ = strconv.Atoi(words[0])
			}
		}
		return pid > 0
	})
	return pid
}

//go:build e2e_packages

package packages_test

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	agent     = "gpumeter-agent.service"
	collector = "gpumeter-collector.service"
	token     = "an-agents-token-of-this-test"
	reader    = "a-readers-token-of-this-test"
)

// reported is more than it takes until a record is in a report, which ends at the
// whole minute that is two minutes ago.
const reported = 5 * time.Minute

// TestPackagesLive is the life of both packages on one machine, from the version
// before to the purge. Each step stands on those before it.
func TestPackagesLive(t *testing.T) {
	m := boot(t)
	for _, step := range []struct {
		name string
		do   func(*testing.T, *machine)
	}{
		{"an installation starts nothing and says what to do", install},
		{"systemd finds nothing wrong with the units", verify},
		{"agent and collector start once they are set up", start},
		{"one command joins, and says why it does not", joined},
		{"the agent is nobody and may touch NVIDIA's devices alone", confined},
		{"a record is delivered and reported", delivered},
		{"drop-ins give back what they say", dropIns},
		{"a stopped agent is started anew", watchdog},
		{"an upgrade goes on with data and settings", upgrade},
		{"a removal keeps data and settings", remove},
		{"a purge leaves what people put there", purge},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.do(t, m) }) {
			t.Logf("agent:\n%s\ncollector:\n%s", m.journal(t, agent), m.journal(t, collector))
			return
		}
	}
}

// debs copies the packages of a folder into the machine.
func debs(t *testing.T, m *machine, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_"+runtime.GOARCH+".deb"))
	if err != nil || len(files) != 2 {
		t.Fatalf("packages in %s are %v, %v", folder, files, err)
	}
	var out []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("/root", filepath.Base(f))
		m.write(t, name, string(text), 0o644)
		out = append(out, name)
	}
	return out
}

func install(t *testing.T, m *machine) {
	said := m.run(t, append([]string{"dpkg", "-i"}, debs(t, m, setting(t, "GPUMETER_PACKAGES_BEFORE"))...)...)
	for _, want := range []string{"systemctl enable --now gpumeter-agent", "systemctl enable --now gpumeter-collector"} {
		if !strings.Contains(said, want) {
			t.Errorf("the installation does not say %q:\n%s", want, said)
		}
	}
	for _, unit := range []string{agent, collector} {
		if state := m.show(t, unit, "ActiveState"); state != "inactive" {
			t.Errorf("%s is %s after the installation", unit, state)
		}
	}
	if said, err := m.try("bash", "-n", "/usr/share/bash-completion/completions/gpumeter-agent"); err != nil {
		t.Errorf("completion is no script: %v %s", err, said)
	}
	if !m.has("/usr/share/man/man1/gpumeter-agent-run.1.gz") || !m.has("/usr/share/man/man1/gpumeter-collector.1.gz") {
		t.Error("man pages are missing")
	}
}

func verify(t *testing.T, m *machine) {
	level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)
	for _, unit := range []string{agent, collector} {
		path := "/usr/lib/systemd/system/" + unit
		if said := m.run(t, "systemd-analyze", "verify", "--man=no", path); said != "" {
			t.Errorf("%s: %s", unit, said)
		}
		said := level.FindStringSubmatch(m.run(t, "systemd-analyze", "security", "--offline=true", path))
		if said == nil {
			t.Fatalf("no exposure of %s", unit)
		}
		if got, err := strconv.ParseFloat(said[1], 64); err != nil || got > 2.0 {
			t.Errorf("%s has exposure %s, want at most 2.0", unit, said[1])
		}
		t.Logf("%s: exposure %s", unit, said[1])
	}
}

// start sets the machine up as docs/install.md says, with the simulated driver
// where NVIDIA's would be.
func start(t *testing.T, m *machine) {
	library, err := os.ReadFile(filepath.Join(setting(t, "GPUMETER_SIM_DIR"), "libnvidia-ml.so.1"))
	if err != nil {
		t.Fatal(err)
	}
	triple := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	m.write(t, "/usr/lib/"+triple+"-linux-gnu/libnvidia-ml.so.1", string(library), 0o644)
	m.write(t, "/etc/gpumeter/scenario", "seed 7\ngpus 8 h100\ngpu * util 100%\ngpu * process pid=1 memory=1GiB\n", 0o644)
	m.write(t, "/etc/gpumeter/agent.env", "GPUMETER_SIM_SCENARIO=/etc/gpumeter/scenario\n", 0o644)
	m.write(t, "/etc/gpumeter/agent.yaml", "collector: http://127.0.0.1:9410\nwindow: 10s\ncloud: {ask: off, provider: aws}\n", 0o644)
	m.write(t, "/etc/gpumeter/agent.token", token+"\n", 0o600)
	m.write(t, "/etc/gpumeter/agents.tokens", token+"\n", 0o600)
	m.write(t, "/etc/gpumeter/readers.tokens", reader+"\n", 0o600)
	m.write(t, "/root/reader", reader+"\n", 0o600)
	m.run(t, "systemctl", "enable", "--now", "gpumeter-collector", "gpumeter-agent")
	for _, unit := range []string{agent, collector} {
		if state := m.show(t, unit, "ActiveState"); state != "active" {
			t.Errorf("%s is %s", unit, state)
		}
	}
	wait(t, 10*time.Second, "the agent to see eight GPUs", func() bool {
		said, _ := m.try("gpumeter-agent", "status")
		return strings.Count(said, "NVIDIA H100 80GB HBM3  observed") == 8
	})
	wait(t, time.Minute, "systemd to hear of eight GPUs", func() bool {
		return strings.Contains(m.show(t, agent, "StatusText"), "8 of 8 GPUs observed")
	})
}

// confined looks at the process, and lets the unit itself open devices before
// the agent starts. No driver has major 195 here: who may open it is told that
// there is none, and who may not, that it is not permitted.
func confined(t *testing.T, m *machine) {
	status := m.run(t, "cat", "/proc/"+m.show(t, agent, "MainPID")+"/status")
	for _, want := range []string{`(?m)^Uid:\s+[1-9]\d+\s`, `(?m)^CapEff:\s+0+$`, `(?m)^CapBnd:\s+0+$`, `(?m)^NoNewPrivs:\s+1$`, `(?m)^Seccomp:\s+2$`} {
		if !regexp.MustCompile(want).MatchString(status) {
			t.Errorf("the agent's process has no %s in\n%s", want, status)
		}
	}
	for name, number := range map[string][]string{"nvidia0": {"195", "0"}, "other": {"10", "1"}, "kmsg": {"1", "11"}} {
		m.run(t, "mknod", "-m", "666", "/dev/"+name, "c", number[0], number[1])
	}
	m.write(t, "/etc/systemd/system/gpumeter-agent.service.d/devices.conf",
		"[Service]\nExecStartPre=-/bin/head -c 1 /dev/nvidia0\nExecStartPre=-/bin/head -c 1 /dev/other\nExecStartPre=-/bin/head -c 1 /dev/kmsg\n", 0o644)
	restart(t, m)
	said := m.journal(t, agent)
	for _, want := range []string{"'/dev/nvidia0' for reading: No such device or address", "'/dev/other' for reading: Operation not permitted"} {
		if !strings.Contains(said, want) {
			t.Errorf("the journal lacks %q", want)
		}
	}
	if !regexp.MustCompile(`'/dev/kmsg' for reading: (Operation not permitted|Permission denied)`).MatchString(said) {
		t.Error("the kernel's log can be read")
	}
	m.run(t, "rm", "/etc/systemd/system/gpumeter-agent.service.d/devices.conf")
}

func restart(t *testing.T, m *machine) {
	t.Helper()
	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "restart", agent)
}

// hours are the GPU-hours of the eight GPUs, as the report has them.
func hours(t *testing.T, m *machine) float64 {
	t.Helper()
	said, _ := m.try("gpumeter", "report", "--token-file", "/root/reader")
	found := regexp.MustCompile(`8 H100 of aws in no contract, for ([0-9.]+) GPU-hours`).FindStringSubmatch(said)
	if found == nil {
		return 0
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func delivered(t *testing.T, m *machine) {
	wait(t, reported, "a record in the report", func() bool { return hours(t, m) > 0 })
	if said, err := m.try("gpumeter", "report"); err == nil || !strings.Contains(said, "bearer token") {
		t.Errorf("a reader without a token gets %q", said)
	}
}

// dropIns starts the agent with each drop-in. The kubelet's makes it root, and
// takes the spool along.
func dropIns(t *testing.T, m *machine) {
	files, err := filepath.Glob(filepath.Join(m.root, "/usr/share/gpumeter-agent/drop-ins/*.conf"))
	if err != nil || len(files) < 4 {
		t.Fatalf("drop-ins are %v, %v", files, err)
	}
	before := m.journal(t, agent)
	id := regexp.MustCompile(`msg="agent runs" node=\S+ agent=(\S+)`)
	for _, f := range files {
		name := filepath.Base(f)
		to := "/etc/systemd/system/gpumeter-agent.service.d/" + name
		m.run(t, "install", "-D", "-m", "644", "/usr/share/gpumeter-agent/drop-ins/"+name, to)
		restart(t, m)
		pid := m.show(t, agent, "MainPID")
		status := m.run(t, "cat", "/proc/"+pid+"/status")
		want := map[string]string{
			"kmsg.conf": `(?m)^CapEff:\s+0000000400000000$`, "slurm.conf": `(?m)^CapEff:\s+0000000000080000$`,
			"kubelet.conf": `(?m)^Uid:\s+0\s+0(?s:.*)CapEff:\s+0+$`, "private.conf": `(?m)^CapEff:\s+0+$`,
		}[name]
		if want == "" || !regexp.MustCompile(want).MatchString(status) {
			t.Errorf("%s: no %q in\n%s", name, want, status)
		}
		m.run(t, "rm", to)
	}
	restart(t, m)
	ids := id.FindAllStringSubmatch(m.journal(t, agent), -1)
	if first := id.FindStringSubmatch(before); first == nil || first[1] != ids[len(ids)-1][1] {
		t.Errorf("the agent has another spool than before: %v, %v", first, ids)
	}
	if uid := m.run(t, "stat", "-c", "%u", "/var/lib/private/gpumeter"); strings.TrimSpace(uid) == "0" {
		t.Error("the spool stays root's")
	}
}

func watchdog(t *testing.T, m *machine) {
	restarts, pid := m.count(t, agent, "NRestarts"), m.show(t, agent, "MainPID")
	m.run(t, "kill", "-STOP", pid)
	wait(t, 2*time.Minute, "systemd to start the agent anew", func() bool {
		return m.count(t, agent, "NRestarts") > restarts && m.show(t, agent, "ActiveState") == "active"
	})
	if now := m.show(t, agent, "MainPID"); now == pid {
		t.Errorf("process %s is still the agent", pid)
	}
	if !strings.Contains(m.journal(t, agent), "Watchdog timeout") {
		t.Error("it was not the watchdog")
	}
}

func upgrade(t *testing.T, m *machine) {
	before := hours(t, m)
	was := map[string]string{agent: m.show(t, agent, "MainPID"), collector: m.show(t, collector, "MainPID")}
	settings := m.run(t, "cat", "/etc/gpumeter/agent.yaml")
	old := m.run(t, "gpumeter", "--version")
	said := m.run(t, append([]string{"dpkg", "-i"}, debs(t, m, setting(t, "GPUMETER_PACKAGES"))...)...)
	if now := m.run(t, "gpumeter", "--version"); now == old {
		t.Errorf("the version is %s after the upgrade too", now)
	}
	if strings.Contains(said, "enable --now") {
		t.Errorf("the upgrade speaks as if it were the first: %s", said)
	}
	for unit, pid := range was {
		if state, now := m.show(t, unit, "ActiveState"), m.show(t, unit, "MainPID"); state != "active" || now == pid {
			t.Errorf("%s is %s as process %s, which was %s before the upgrade", unit, state, now, pid)
		}
	}
	if now := m.run(t, "cat", "/etc/gpumeter/agent.yaml"); now != settings {
		t.Errorf("settings are now %q", now)
	}
	if after := hours(t, m); after < before {
		t.Errorf("the report had %g GPU-hours, and has %g", before, after)
	}
	// So much more cannot all be from before the upgrade.
	const behind = 4.0 / 60
	wait(t, 2*reported, "records of the new version", func() bool { return hours(t, m) > before+8*behind })
}

func remove(t *testing.T, m *machine) {
	m.run(t, "dpkg", "-r", "gpumeter-agent", "gpumeter")
	for _, unit := range []string{agent, collector} {
		if state := m.show(t, unit, "ActiveState"); state == "active" {
			t.Errorf("%s is active", unit)
		}
	}
	for _, kept := range []string{"/var/lib/private/gpumeter/spool.db", "/var/lib/gpumeter-collector/gpumeter.duckdb", "/etc/gpumeter/agent.yaml", "/etc/gpumeter/agent.token"} {
		if !m.has(kept) {
			t.Errorf("%s is gone", kept)
		}
	}
}

func purge(t *testing.T, m *machine) {
	m.run(t, "dpkg", "-P", "gpumeter-agent", "gpumeter")
	left := m.run(t, "find", "/etc", "/usr", "/var", "/run", "-xdev", "-path", "*gpumeter*")
	// What the test laid there itself, and what dpkg and systemd remember.
	people := regexp.MustCompile(`^(/etc/gpumeter(/scenario|/agent\.env)?|/etc/systemd/system/gpumeter-agent\.service\.d|/run/systemd/.*|/var/log/.*)$`)
	for line := range strings.Lines(left) {
		if line = strings.TrimSpace(line); !people.MatchString(line) {
			t.Errorf("%s is left", line)
		}
	}
}

package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// systemdEnv names the folder by which this test binary, as an agent, knows that
// systemd runs.
const systemdEnv = "GPUMETER_TEST_SYSTEMD"

const agentToken = "a-token-for-agents"

// newCollector answers as a collector does, to agents that have the token.
func newCollector(t *testing.T) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method != http.MethodPost || r.URL.Path != "/v1/usage":
			w.WriteHeader(http.StatusNotFound)
		case r.Header.Get("Authorization") != "Bearer "+agentToken:
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"the token is not known"}`)
		default:
			fmt.Fprintf(w, `{"store_id":"s1","committed":{},"server_time_ms":%d}`, time.Now().UnixMilli())
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

// station is a machine with systemd and the package, as far as up can see: a
// systemctl that writes down what it is asked, and a folder for /etc/gpumeter.
type station struct {
	t     *testing.T
	dir   string
	etc   string
	calls string // file
	args  []string
}

// systemctl keeps a unit in two files.
const systemctl = `#!/bin/sh
cd "$GPUMETER_TEST_UNIT" || exit 9
case "$1" in
cat) exit 0 ;;
is-active) test -e active; exit $? ;;
is-enabled) test -e enabled; exit $? ;;
esac
echo "$*" >> calls
case "$1" in
enable) touch enabled ;;
start|restart) if test -e broken; then echo "Job failed." >&2; exit 1; fi; touch active ;;
disable) if test -e stuck; then echo "Access denied." >&2; exit 1; fi; rm -f enabled active ;;
clean) test ! -e active || exit 1 ;;
esac
`

func newStation(t *testing.T) *station {
	dir := t.TempDir()
	s := &station{t: t, dir: dir, etc: filepath.Join(dir, "etc"), calls: filepath.Join(dir, "calls")}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	s.write(filepath.Join(bin, "systemctl"), systemctl, 0o755)
	s.write(filepath.Join(dir, "token"), agentToken+"\n", 0o600)
	s.write(filepath.Join(dir, "scenario"), "seed 7\ngpus 8 h100\ngpu * util 100%\n", 0o644)
	lib, err := library()
	if err != nil {
		t.Fatal(err)
	}
	s.args = []string{"--env-file", filepath.Join(s.etc, "agent.env"), "--nvml", lib, "--cloud", "off", "--kmsg", "off",
		"--state", filepath.Join(dir, "state"), "--listen", "127.0.0.1:0", "--token-file", filepath.Join(dir, "token")}
	return s
}

func (s *station) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// up calls up in a process of its own, and returns what it said and its status.
func (s *station) up(args ...string) (string, int) {
	s.t.Helper()
	return s.agent(slices.Concat([]string{"up"}, s.args, args)...)
}

func (s *station) agent(args ...string) (string, int) {
	s.t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), commandEnv+"=1", "GPUMETER_SIM_SCENARIO="+filepath.Join(s.dir, "scenario"), systemdEnv+"="+s.dir,
		"GPUMETER_TEST_UNIT="+s.dir, "PATH="+filepath.Join(s.dir, "bin")+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	limit := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	_ = cmd.Wait()
	return out.String(), cmd.ProcessState.ExitCode()
}

// called returns what systemctl was asked to do since the last time.
func (s *station) called() string {
	text, _ := os.ReadFile(s.calls)
	_ = os.Remove(s.calls)
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "; ")
}

func (s *station) files() string {
	var out []string
	entries, _ := os.ReadDir(s.etc)
	for _, e := range entries {
		i, err := e.Info()
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %o", e.Name(), i.Mode().Perm()))
	}
	return strings.Join(out, ", ")
}

func TestUpJoinsOnceAndSaysSo(t *testing.T) {
	t.Parallel()
	s, c := newStation(t), newCollector(t)
	said, status := s.up("--join", c.URL, "--dry-run")
	if status != 0 || s.files() != "" || s.called() != "" || !strings.Contains(said, "would write the token to "+s.etc+"/agent.token") ||
		!strings.Contains(said, "would call systemctl enable gpumeter-agent.service") {
		t.Fatalf("a dry run: status %d, files %q: %s", status, s.files(), said)
	}
	said, status = s.up("--join", c.URL)
	if status != 0 || s.files() != "agent.env 644, agent.token 600" || s.called() != "enable gpumeter-agent.service; start gpumeter-agent.service" {
		t.Fatalf("status %d, files %q, last called %q: %s", status, s.files(), s.called(), said)
	}
	for _, want := range []string{"takes the token", "This node is metered", "gpumeter-agent status --state " + s.dir, "gpumeter-agent doctor --state " + s.dir} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
	if strings.Contains(said, agentToken) {
		t.Errorf("it says the token: %s", said)
	}
	env, err := os.ReadFile(filepath.Join(s.etc, "agent.env"))
	if err != nil || !strings.Contains(string(env), "GPUMETER_AGENT_COLLECTOR="+c.URL+"\n") || strings.Contains(string(env), "JOIN") || strings.Contains(string(env), "TOKEN") {
		t.Errorf("settings are %s, %v", env, err)
	}
	if said, status = s.up("--join", c.URL); status != 0 || s.called() != "" || !strings.Contains(said, "nothing had to be changed") {
		t.Errorf("a second time: status %d: %s", status, said)
	}
	if said, status = s.up("--join", c.URL, "--expected-gpus", "8"); status != 0 || s.called() != "restart gpumeter-agent.service" {
		t.Errorf("with another setting: status %d: %s", status, said)
	}
	if err := os.Chmod(filepath.Join(s.etc, "agent.token"), 0o644); err != nil {
		t.Fatal(err)
	}
	if said, status = s.up("--join", c.URL); status != 0 || s.files() != "agent.env 644, agent.token 600" || s.called() != "restart gpumeter-agent.service" {
		t.Errorf("with a token that all can read: status %d, files %q: %s", status, s.files(), said)
	}
	// What was kept is in force, and is not asked for again.
	other := newCollector(t)
	if said, status = s.up("--join", other.URL); status != 0 || s.called() != "restart gpumeter-agent.service" {
		t.Errorf("another collector: status %d: %s", status, said)
	}
	env, _ = os.ReadFile(filepath.Join(s.etc, "agent.env"))
	for _, want := range []string{"GPUMETER_AGENT_COLLECTOR=" + other.URL + "\n", "GPUMETER_AGENT_EXPECTED_GPUS=8\n"} {
		if strings.Count(string(env), want) != 1 {
			t.Errorf("settings do not say %q once: %s", want, env)
		}
	}
}

// TestUpWritesNothingWhereItCannotJoin holds that each of these is one sentence,
// and that no file and no unit is touched.
func TestUpWritesNothingWhereItCannotJoin(t *testing.T) {
	t.Parallel()
	s, c := newStation(t), newCollector(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	page := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(page.Close)
	s.write(filepath.Join(s.dir, "wrong"), "another-token-altogether\n", 0o600)
	s.write(filepath.Join(s.dir, "empty"), "\n", 0o600)
	f := func(want string, wantStatus int, args ...string) {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			said, status := s.up(args...)
			if status != wantStatus || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
				t.Errorf("%v: status %d, want %d and %q: %s", args, status, wantStatus, want, said)
			}
			if s.files() != "" {
				t.Errorf("%v: files %q", args, s.files())
			}
		})
	}
	t.Cleanup(func() {
		if calls := s.called(); calls != "" {
			t.Errorf("systemctl was called: %s", calls)
		}
	})
	f("which collector? Name it with --join https://HOST[:PORT]", 2)
	f(`address "10.0.0.1:9410": want https://HOST[:PORT][/PATH]. Give the address`, 1, "--join", "10.0.0.1:9410")
	f("plain http goes to loopback only", 1, "--join", "http://gpumeter.example:9410")
	f("connection refused", 1, "--join", gone.URL)
	f("is no collector: status 404", 1, "--join", page.URL)
	f("does not know the token in", 1, "--join", c.URL, "--token-file", filepath.Join(s.dir, "wrong"))
	f("holds no token", 1, "--join", c.URL, "--token-file", filepath.Join(s.dir, "empty"))
	f("no such file", 1, "--join", c.URL, "--token-file", filepath.Join(s.dir, "none"))
	f("window 7m0s is not between", 2, "--join", c.URL, "--window", "7m")
	f("Another program listens on", 1, "--join", c.URL, "--listen", strings.TrimPrefix(c.URL, "http://"))
	f("names a token_file", 1, "--join", c.URL, "--config", s.yaml("token_file: "+filepath.Join(s.dir, "wrong")))
}

// TestUpKeepsWhatIsNotGiven has another token and authority in force than the
// unit's own, and joins without naming any.
func TestUpKeepsWhatIsNotGiven(t *testing.T) {
	t.Parallel()
	s, c := newStation(t), newCollector(t)
	s.args = s.args[:len(s.args)-2] // no --token-file
	file := s.yaml("token_file: " + filepath.Join(s.dir, "token"))
	if said, status := s.up("--join", c.URL, "--config", file); status != 0 || s.files() != "agent.env 644" {
		t.Errorf("status %d, files %q: %s", status, s.files(), said)
	}
	// A token that is given goes before one that a variable names.
	s.write(filepath.Join(s.etc, "agent.env"), "GPUMETER_AGENT_TOKEN_FILE=/nowhere\n", 0o644)
	if said, status := s.up("--join", c.URL, "--token-file", filepath.Join(s.dir, "token")); status != 0 || s.files() != "agent.env 644, agent.token 600" {
		t.Errorf("status %d, files %q: %s", status, s.files(), said)
	}
	env, err := os.ReadFile(filepath.Join(s.etc, "agent.env"))
	if err != nil || !strings.Contains(string(env), "GPUMETER_AGENT_TOKEN_FILE=\n") {
		t.Errorf("settings are %s, %v", env, err)
	}
	// An authority becomes a file of the unit's.
	ca := filepath.Join(s.dir, "ca.pem")
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	s.write(ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})), 0o600)
	if said, status := s.up("--join", c.URL, "--ca-file", ca); status != 0 || s.files() != "agent-ca.pem 644, agent.env 644, agent.token 600" {
		t.Errorf("status %d, files %q: %s", status, s.files(), said)
	}
	if env, _ = os.ReadFile(filepath.Join(s.etc, "agent.env")); !strings.Contains(string(env), "GPUMETER_AGENT_CA_FILE="+s.etc+"/agent-ca.pem\n") {
		t.Errorf("settings are %s", env)
	}
}

func (s *station) yaml(text string) string {
	name := filepath.Join(s.dir, "agent.yaml")
	s.write(name, text+"\n", 0o644)
	return name
}

func TestUpSaysWhyTheUnitDoesNotStart(t *testing.T) {
	t.Parallel()
	s, c := newStation(t), newCollector(t)
	s.write(filepath.Join(s.dir, "broken"), "", 0o644)
	said, status := s.up("--join", c.URL)
	if status != 1 || !strings.Contains(said, "systemctl start gpumeter-agent.service: exit status 1: Job failed. (journalctl -u") {
		t.Errorf("status %d: %s", status, said)
	}
}

// TestUpRunsInTheForegroundWithoutThePackage meters until it is told to end.
func TestUpRunsInTheForegroundWithoutThePackage(t *testing.T) {
	t.Parallel()
	s, c := newStation(t), newCollector(t)
	cmd := exec.Command(os.Args[0], append([]string{"up", "--join", c.URL, "--lock", filepath.Join(s.dir, "lock")}, s.args...)...)
	cmd.Env = append(os.Environ(), commandEnv+"=1", "GPUMETER_SIM_SCENARIO="+filepath.Join(s.dir, "scenario"), systemdEnv+"="+filepath.Join(s.dir, "none"))
	log := filepath.Join(s.dir, "log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	said := func() string {
		text, _ := os.ReadFile(log)
		return string(text)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(said(), "agent runs"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not run: %s", said())
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if said := said(); err != nil || !strings.Contains(said, "runs in the foreground, until Ctrl-C: systemd is not in charge here") || s.files() != "" {
		t.Errorf("%v, files %q: %s", err, s.files(), said)
	}
	// What it says of the doctor has the doctor look with the agent's settings.
	m := regexp.MustCompile(`(?m)^  gpumeter-agent doctor (.*)   #`).FindStringSubmatch(said())
	if m == nil {
		t.Fatalf("it names no doctor: %s", said())
	}
	doctor := newDoctor()
	if err := doctor.ParseFlags(strings.Fields(m[1])); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"collector": c.URL, "state": filepath.Join(s.dir, "state"), "token-file": filepath.Join(s.dir, "token"), "cloud": "off"} {
		if got := doctor.Flags().Lookup(name).Value.String(); got != want {
			t.Errorf("the doctor has %s %q, want %q", name, got, want)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// down calls down in a process of its own, and returns what it said and its
// status.
func (s *station) down(args ...string) (string, int) {
	s.t.Helper()
	return s.agent(append([]string{"down", "--env-file", filepath.Join(s.etc, "agent.env")}, args...)...)
}

func (s *station) mustUp(url string, args ...string) {
	s.t.Helper()
	if said, status := s.up(append([]string{"--join", url}, args...)...); status != 0 {
		s.t.Fatalf("up: status %d: %s", status, said)
	}
	s.called()
}

func TestDownLeavesNothingOfUpBehind(t *testing.T) {
	t.Parallel()
	s, c := newStation(t), newCollector(t)
	s.mustUp(c.URL)
	s.mustUp(c.URL, "--expected-gpus", "8")
	if err := os.MkdirAll(filepath.Join(s.dir, "state"), 0o755); err != nil {
		t.Fatal(err)
	}
	said, status := s.down("--dry-run")
	if status != 0 || s.called() != "" || s.files() != "agent.env 644, agent.token 600" || !strings.Contains(said, "would call systemctl disable --now gpumeter-agent.service") ||
		!strings.Contains(said, "would remove "+s.etc+"/agent.token") || strings.Contains(said, "not metered any more") {
		t.Errorf("a dry run: status %d, files %q: %s", status, s.files(), said)
	}
	said, status = s.down()
	if calls := s.called(); status != 0 || calls != "disable --now gpumeter-agent.service" || s.files() != "" {
		t.Errorf("status %d, files %q, called %q: %s", status, s.files(), calls, said)
	}
	for _, want := range []string{"removed " + s.etc + "/agent.env", "This node is not metered any more", "Kept: " + s.dir + "/state, with the spool."} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
	if said, status = s.down(); status != 0 || s.called() != "" || !strings.Contains(said, "nothing had to be undone") {
		t.Errorf("a second time: status %d: %s", status, said)
	}
	s.mustUp(c.URL)
	if s.files() != "agent.env 644, agent.token 600" {
		t.Errorf("up again: files %q", s.files())
	}
}

// TestDownPutsBackWhatOthersWrote has settings, a token and agent.yaml of other
// hands.
func TestDownPutsBackWhatOthersWrote(t *testing.T) {
	t.Parallel()
	s, c := newStation(t), newCollector(t)
	if err := os.Mkdir(s.etc, 0o755); err != nil {
		t.Fatal(err)
	}
	const before = "HTTPS_PROXY=\nGPUMETER_AGENT_EXPECTED_GPUS=4\n# GPUMETER_AGENT_COLLECTOR=\n"
	env, token := filepath.Join(s.etc, "agent.env"), filepath.Join(s.etc, "agent.token")
	s.write(env, before, 0o644)
	s.write(token, agentToken+"\n", 0o600)
	s.write(filepath.Join(s.etc, "agent.yaml"), "log_level: warn\n", 0o644)
	s.args = append(s.args[:len(s.args)-2], "--token-file", token)
	s.mustUp(c.URL, "--expected-gpus", "8")
	said, status := s.down()
	if status != 0 || s.files() != "agent.env 644, agent.token 600, agent.yaml 644" {
		t.Fatalf("status %d, files %q: %s", status, s.files(), said)
	}
	if got, err := os.ReadFile(env); err != nil || string(got) != before {
		t.Errorf("settings are %q, %v; want %q", got, err, before)
	}
	if want := "Kept, because up did not write it: " + env + ", " + s.etc + "/agent.yaml, " + token + "."; !strings.Contains(said, want) {
		t.Errorf("it does not say %q: %s", want, said)
	}
}

// TestDownPurgesWhatSystemdMade holds that a folder which the settings name is
// never removed.
func TestDownPurgesWhatSystemdMade(t *testing.T) {
	t.Parallel()
	s, c := newStation(t), newCollector(t)
	s.mustUp(c.URL)
	state := filepath.Join(s.dir, "state")
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	said, status := s.down("--purge")
	if calls := s.called(); status != 0 || calls != "disable --now gpumeter-agent.service" || !strings.Contains(said, "Kept, because the settings named it: "+state) {
		t.Errorf("status %d, called %q: %s", status, calls, said)
	}
	if _, err := os.Stat(state); err != nil {
		t.Error(err)
	}
	// The folder of the unit is systemd's to remove.
	var out strings.Builder
	a := downArgs{steps: steps{unit: unit{name: agentUnit}, dryRun: true, out: &out}, purge: true, made: state}
	for _, folder := range []string{state, s.dir, filepath.Join(s.dir, "none")} {
		if err := a.purgeState(t.Context(), folder); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := out.String(), "would call systemctl clean --what=state gpumeter-agent.service\n"; got != want {
		t.Errorf("said %q, want %q once", got, want)
	}
}

func TestDownSaysInOneSentenceWhatItCannotDo(t *testing.T) {
	t.Parallel()
	s, c := newStation(t), newCollector(t)
	s.mustUp(c.URL)
	f := func(want string, wantStatus int, args ...string) {
		t.Helper()
		said, status := s.down(args...)
		if status != wantStatus || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%v: status %d, want %d and %q: %s", args, status, wantStatus, want, said)
		}
		if s.files() != "agent.env 644, agent.token 600" {
			t.Errorf("%v: files %q", args, s.files())
		}
	}
	s.write(filepath.Join(s.dir, "stuck"), "", 0o644)
	f("systemctl disable --now gpumeter-agent.service: exit status 1: Access denied.", 1)
	f(`unknown command "now"`, 2, "now")
	if err := os.Rename(filepath.Join(s.dir, "bin", "systemctl"), filepath.Join(s.dir, "systemctl")); err != nil {
		t.Fatal(err)
	}
	s.write(filepath.Join(s.dir, "bin", "systemctl"), "#!/bin/sh\nexit 1\n", 0o755) // it knows no such unit
	f("There is nothing to undo: the package gpumeter-agent is not installed (", 0)
}

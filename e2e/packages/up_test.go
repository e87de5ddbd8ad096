//go:build e2e_packages

package packages_test

import (
	"strings"
	"testing"
)

// joined has one command do what docs/install.md does by hand, on the machine of
// the steps before: to say where the collector is, and to hand over the token.
func joined(t *testing.T, m *machine) {
	const url = "http://127.0.0.1:9410"
	m.write(t, "/root/token", token+"\n", 0o600)
	pid := m.show(t, agent, "MainPID")
	before := m.run(t, "cat", "/etc/gpumeter/agent.env")
	if said, err := m.try("gpumeter-agent", "up", "--join", url, "--token-file", "/root/reader"); err == nil || !strings.Contains(said, "nothing was changed: The token in /root/reader is not one for agents.") {
		t.Errorf("a reader's token: %v, %s", err, said)
	}
	if after := m.run(t, "cat", "/etc/gpumeter/agent.env"); after != before || m.show(t, agent, "MainPID") != pid {
		t.Errorf("a wrong token changed something: %s", after)
	}
	said := m.run(t, "gpumeter-agent", "up", "--join", url, "--token-file", "/root/token", "--expected-gpus", "8")
	for _, want := range []string{"The collector takes the token.", "wrote the settings to /etc/gpumeter/agent.env", "called systemctl restart " + agent, "This node is metered, now and after each start."} {
		if !strings.Contains(said, want) {
			t.Errorf("up does not say %q: %s", want, said)
		}
	}
	env := m.run(t, "cat", "/etc/gpumeter/agent.env")
	for _, want := range []string{strings.TrimSpace(before), "GPUMETER_AGENT_COLLECTOR=" + url, "GPUMETER_AGENT_EXPECTED_GPUS=8"} {
		if strings.Count(env, want) != 1 {
			t.Errorf("the settings do not say %q once: %s", want, env)
		}
	}
	if pid == m.show(t, agent, "MainPID") || m.show(t, agent, "ActiveState") != "active" {
		t.Error("the agent does not run with the new settings")
	}
	pid = m.show(t, agent, "MainPID")
	if said := m.run(t, "gpumeter-agent", "up", "--join", url, "--token-file", "/root/token"); !strings.Contains(said, "nothing had to be changed") || m.show(t, agent, "MainPID") != pid {
		t.Errorf("a second time: %s", said)
	}
	left(t, m, before)
	m.run(t, "gpumeter-agent", "up", "--join", url, "--token-file", "/root/token", "--expected-gpus", "8")
	said, _ = m.try("gpumeter-agent", "doctor") // nobody keeps this machine's clock
	for _, want := range []string{"from /etc/gpumeter/agent.env, /etc/gpumeter/agent.yaml, flags.", "8 GPUs, as expected", "An agent runs here", "The collector takes the token."} {
		if !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
			t.Errorf("the doctor does not say %q: %s", want, said)
		}
	}
}

// left has another command undo that: the settings are those of before, and the
// spool is there.
func left(t *testing.T, m *machine, before string) {
	said := m.run(t, "gpumeter-agent", "down")
	for _, want := range []string{"called systemctl disable --now " + agent, "This node is not metered any more", "Kept: /var/lib/gpumeter, with the spool."} {
		if !strings.Contains(said, want) {
			t.Errorf("down does not say %q: %s", want, said)
		}
	}
	if after := m.run(t, "cat", "/etc/gpumeter/agent.env"); after != before || m.show(t, agent, "ActiveState") != "inactive" || m.show(t, agent, "UnitFileState") != "disabled" {
		t.Errorf("the unit is %s and %s, and the settings are %s, want %s", m.show(t, agent, "ActiveState"), m.show(t, agent, "UnitFileState"), after, before)
	}
	m.run(t, "test", "-s", "/var/lib/gpumeter/spool.db")
	if said, err := m.try("test", "-e", "/etc/gpumeter/agent.token"); err == nil {
		t.Errorf("the token is still there: %s", said)
	}
}

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAgentTellsSystemd starts an agent as a unit of Type=notify with a watchdog
// of 4 s does, which waits for a sign of life each second.
func TestAgentTellsSystemd(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "4000000")
	t.Setenv("GPUMETER_AGENT_INTERVAL", "200ms")
	n := startNode(t, "gpus 2 h100\n")
	hear := func(want string) {
		t.Helper()
		if err := l.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buf, last := make([]byte, 1000), ""
		for !strings.Contains(last, want) {
			k, err := l.Read(buf)
			if err != nil {
				t.Fatalf("want %q, last heard %q: %v", want, last, err)
			}
			last = string(buf[:k])
		}
	}
	hear("READY=1\nSTATUS=")
	hear("WATCHDOG=1\nSTATUS=driver 580")
	hear("2 of 2 GPUs observed")
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hear("STOPPING=1")
}

// TestRunReadsTheEnvironment holds the order of what a setting is taken from.
func TestRunReadsTheEnvironment(t *testing.T) {
	f := func(name, value, problem string, args ...string) {
		t.Helper()
		t.Setenv(name, value)
		defer t.Setenv(name, "")
		cmd := newRoot()
		cmd.SetArgs(append([]string{"run", "--state", t.TempDir()}, args...))
		err := cmd.ExecuteContext(t.Context())
		if err == nil || exitCode(err) != 2 || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s=%s: %v, want %q", name, value, err, problem)
		}
	}
	f("GPUMETER_AGENT_INTERVAL", "1h", "interval 1h0m0s is not between")
	f("GPUMETER_AGENT_INTERVAL", "1h", "interval 2h0m0s is not between", "--interval", "2h")
	f("GPUMETER_AGENT_INTERVAL", "often", "GPUMETER_AGENT_INTERVAL in the environment")
	f("GPUMETER_AGENT_INTERVALL", "1s", "GPUMETER_AGENT_INTERVALL in the environment is no setting")
	config := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(config, []byte("interval: 3h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("GPUMETER_AGENT_INTERVAL", "1h", "interval 1h0m0s is not between", "--config", config)
	f("GPUMETER_AGENT_CONFIG", config, "interval 3h0m0s is not between")
}

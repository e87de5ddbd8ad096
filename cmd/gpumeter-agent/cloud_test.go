package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/gpumeter/gpumeter/usage"
)

// TestNodeThatShowsSevenOfEightSaysSo runs a real agent over a driver with seven
// GPUs, on a node whose type has eight.
func TestNodeThatShowsSevenOfEightSaysSo(t *testing.T) {
	n := startNode(t, "gpus 7 h100\n", "--cloud-provider", "aws", "--cloud-instance-type", "p5.48xlarge", "--cloud-node-pool", "blue")
	n.until("the eighth is missing", 20*time.Second, func(m map[string]float64) bool {
		return m["gpu_up{6}"] == 1
	})
	page, _, err := n.page()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\ngpumeter_node_gpus_expected 8\n", "\ngpumeter_node_gpus_missing 1\n", `node_pool="blue"`} {
		if !strings.Contains(page, want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
	var b bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs([]string{"status", "--state", n.state})
	cmd.SetOut(&b)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := `stands in
  provider       aws          config
  instance_type  p5.48xlarge  config
  node_pool      blue         config
1 of 8 GPUs are missing
`
	if !strings.Contains(b.String(), want) {
		t.Errorf("status is\n%s, want in it\n%s", b.String(), want)
	}
}

// settings returns what a command line makes of a configuration file.
func settings(t *testing.T, text string, args ...string) (config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var c config
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	c.flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	if err := c.load(file, fs); err != nil {
		return c, err
	}
	return c, c.validate()
}

func TestCloudSettingsStandInTheFile(t *testing.T) {
	c, err := settings(t, "cloud: {ask: off, provider: aws, account: \"012345678901\", node_pool: blue}\nexpected_gpus: 8\n", "--cloud-node-pool", "green")
	if err != nil {
		t.Fatal(err)
	}
	if want := (usage.Cloud{Provider: "aws", Account: "012345678901", NodePool: "green"}); c.Cloud.Cloud != want || c.Cloud.Ask != cloudOff || c.ExpectedGPUs != 8 {
		t.Errorf("settings = %+v, %d expected", c.Cloud, c.ExpectedGPUs)
	}
}

func TestCloudSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	f := func(text, want string, args ...string) {
		t.Helper()
		if _, err := settings(t, text, args...); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q %v: %v, want %s", text, args, err, want)
		}
	}
	f("", `cloud "on" is not auto or off`, "--cloud", "on")
	f("", `-1 expected GPUs are not between 0 and 1024`, "--expected-gpus", "-1")
	f("expected_gpus: 1025", `1025 expected GPUs are not between 0 and 1024`)
	f("cloud: {instance: p5}", `agent.yaml:1: unknown key "instance"`)
}

func TestPodIsItsNode(t *testing.T) {
	t.Setenv("NODE_NAME", "gpu-7")
	for given, want := range map[string]string{"": "gpu-7", "mine": "mine"} {
		if n, err := thisNode(config{Node: given}); err != nil || n.Name != want {
			t.Errorf("node %q is %q, %v", given, n.Name, err)
		}
	}
}

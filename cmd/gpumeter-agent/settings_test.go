package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestPutSettingsLeavesTheRest(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		put := []setting{{"A_B", "new"}}
		got := putSettings([]byte(text), put)
		if string(got) != want {
			t.Errorf("in %q: %q, want %q", text, got, want)
		}
		if again := putSettings(got, put); string(again) != want {
			t.Errorf("in %q a second time: %q", text, again)
		}
	}
	f("", "A_B=new\n")
	f("# hello\nX=1", "# hello\nX=1\nA_B=new\n")
	f("# hello\n#A_B=\n\nX=1\n", "# hello\n#A_B=\nA_B=new\n\nX=1\n")
	f("A_B=old\n# A_B=x\nX=1\n", "A_B=new\n# A_B=x\nX=1\n")
	f("A_B=one\nA_B=two\n", "A_B=one\nA_B=new\n")
	f("A_BC=1\n", "A_BC=1\nA_B=new\n")
}

func TestParseSettingsNamesTheLine(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := parseSettings("x.env", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	f("A=1\nhello\n", "x.env:2: want NAME=VALUE")
	f("1A=1\n", "x.env:1: want")
	f("A=\"open\n", "x.env:1: the value of A")
	f("A='x' y\n", "x.env:1: the value of A")
	f("\nA=on\\\nB=1\n", "x.env:2: the value of A")
}

func TestParseSettingsReadsWhatSystemdReads(t *testing.T) {
	got, err := parseSettings("x", []byte("# c\n; c\n\n A=b c \nB=\"d \\\"e\\\"\"\nC='\\n'\nD=\nE=a\\b\nF=\"a\\b\"\n"))
	want := []setting{{"A", "b c"}, {"B", `d "e"`}, {"C", `\n`}, {"D", ""}, {"E", "ab"}, {"F", `a\b`}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// TestFillFromMakesTheUnitsEnvironment holds that the file goes after what is
// there, for settings and for everything else.
func TestFillFromMakesTheUnitsEnvironment(t *testing.T) {
	for _, name := range []string{"GPUMETER_TEST_OTHER", "GPUMETER_TEST_PROXY", "GPUMETER_AGENT_NODE", "GPUMETER_AGENT_COLLECTOR"} {
		t.Setenv(name, "here")
	}
	for _, name := range []string{"GPUMETER_TEST_PROXY", "GPUMETER_AGENT_COLLECTOR"} {
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	var c config
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.flags(fs)
	err := fillFrom(fs, "x", []byte("GPUMETER_TEST_OTHER=file\nGPUMETER_TEST_PROXY=file\nGPUMETER_AGENT_NODE=file\nGPUMETER_AGENT_COLLECTOR=file\n"))
	if err != nil || os.Getenv("GPUMETER_TEST_OTHER") != "here" || os.Getenv("GPUMETER_TEST_PROXY") != "file" || c.Node != "here" || c.Collector != "file" {
		t.Errorf("%v; the environment has %q and %q, the node is %q, the collector %q", err, os.Getenv("GPUMETER_TEST_OTHER"), os.Getenv("GPUMETER_TEST_PROXY"), c.Node, c.Collector)
	}
	if _, set := os.LookupEnv("GPUMETER_AGENT_COLLECTOR"); set {
		t.Error("a setting became part of the environment")
	}
}

// FuzzSettingsComeBack holds that a value is read as it was written, whatever it
// is, and that putting it changes no other.
func FuzzSettingsComeBack(f *testing.F) {
	for _, v := range []string{"", "https://c.example:9410", ` a "b" \`, "$HOME `x`", "'", "\t x", "ä=#;"} {
		f.Add("# c\nX=1\n", v)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if strings.ContainsAny(value, "\n\r\x00") {
			t.Skip("flags with line breaks are refused")
		}
		before, err := parseSettings("x", []byte(text))
		if err != nil {
			t.Skip("no file of settings")
		}
		after, err := parseSettings("x", putSettings([]byte(text), []setting{{"A_B", value}}))
		if err != nil {
			t.Fatalf("%q in %q: %v", value, text, err)
		}
		last := map[string]string{}
		for _, s := range before {
			last[s.name] = s.value
		}
		last["A_B"] = value
		for _, s := range after {
			if want := last[s.name]; s.value != want && !slices.Contains(before, s) {
				t.Errorf("%s = %q, want %q", s.name, s.value, want)
			}
		}
		if !slices.Contains(after, setting{"A_B", value}) {
			t.Errorf("%q is not in %q", value, after)
		}
	})
}

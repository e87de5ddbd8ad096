package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestRestoreUndoesWhatUpDid(t *testing.T) {
	f := func(text []byte, files []string, settings ...setting) {
		t.Helper()
		up := putSettings(remember(text, settings, files), settings)
		again := append(slices.Clone(settings), setting{"GPUMETER_AGENT_B", "second"})
		twice := putSettings(remember(up, again, files), again)
		for _, now := range [][]byte{up, twice} {
			if got, remove := restore(now); string(got) != string(text) || (got == nil) != (text == nil) || !slices.Equal(remove, files) {
				t.Errorf("%q became\n%s\nand then %q without %q, want %q and %q", text, now, got, remove, text, files)
			}
		}
		if once := putSettings(remember(up, settings, files), settings); string(once) != string(up) {
			t.Errorf("a second time %q became %q", up, once)
		}
	}
	a, b := setting{"GPUMETER_AGENT_A", "x y"}, setting{"GPUMETER_AGENT_B", "1"}
	f(nil, nil, a)
	f(nil, []string{tokenName, caName}, a, b)
	f([]byte("GPUMETER_AGENT_A=old\n# GPUMETER_AGENT_B=\nHTTPS_PROXY=http://p\n"), []string{tokenName}, a, b)
	f([]byte("GPUMETER_AGENT_A=1\nGPUMETER_AGENT_A=\"2 3\"\n"), nil, a)
	f([]byte("# only words\n"), nil, a, b)
	f([]byte("GPUMETER_AGENT_A=\"x y\"\n"), nil, a)
}

// TestRestoreUndoesAnyUp has files of other hands, and several ups.
func TestRestoreUndoesAnyUp(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	names := []string{"A", "B", "C", "GPUMETER_AGENT_COLLECTOR"}
	values := []string{"", "1", "x y", `q"\`, "$HOME"}
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	for range 2000 {
		var lines []string
		for range r.IntN(5) {
			lines = append(lines, pick([]string{"", "# ", "; "})+pick(names)+"="+quote(pick(values)))
		}
		text := textOf(lines)
		if len(lines) == 0 && r.IntN(2) == 0 {
			text = nil
		}
		now := text
		for range 1 + r.IntN(3) {
			settings := []setting{{"GPUMETER_AGENT_COLLECTOR", pick(values)}} // up has a collector
			for _, name := range names[:3] {
				if r.IntN(2) == 0 {
					settings = append(settings, setting{name, pick(values)})
				}
			}
			now = putSettings(remember(now, settings, nil), settings)
			for _, s := range settings {
				if read, err := parseSettings("f", now); err != nil || !slices.Contains(read, s) {
					t.Fatalf("%q does not set %v: %v", now, s, err)
				}
			}
		}
		if got, _ := restore(now); string(got) != string(text) || (got == nil) != (text == nil) {
			t.Fatalf("%q became %q, and then %q", text, now, got)
		}
	}
}

// TestRestoreKeepsWhatOthersChanged has a hand that comes between up and down.
func TestRestoreKeepsWhatOthersChanged(t *testing.T) {
	settings := []setting{{"GPUMETER_AGENT_A", "new"}}
	up := string(putSettings(remember([]byte("GPUMETER_AGENT_A=old\n"), settings, nil), settings))
	f := func(now, want string) {
		t.Helper()
		if got, _ := restore([]byte(now)); string(got) != want {
			t.Errorf("%q became %q, want %q", now, got, want)
		}
	}
	f(up+"HTTPS_PROXY=http://p\n", "GPUMETER_AGENT_A=old\nHTTPS_PROXY=http://p\n")
	f(strings.Replace(up, "GPUMETER_AGENT_A=new\n", "", 1), "GPUMETER_AGENT_A=old\n")
	f(strings.Replace(up, "=new", "=theirs", 1), "GPUMETER_AGENT_A=old\n")
	f("HTTPS_PROXY=http://p\n", "HTTPS_PROXY=http://p\n")
}

// TestNotesRemoveOnlyWhatUpWrites holds that a file of settings cannot have
// another file removed.
func TestNotesRemoveOnlyWhatUpWrites(t *testing.T) {
	for _, text := range []string{marker + "remove ../passwd\n", marker + "remove /etc/passwd\n", marker + "remove agent.yaml\n", marker + "remove\n", marker + "purge agent.token\n", marker + "unset A B\n"} {
		if got, remove := restore([]byte(text)); len(remove) > 0 || string(got) != text {
			t.Errorf("%q became %q, and removes %q", text, got, remove)
		}
	}
}

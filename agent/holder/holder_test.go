package holder_test

import (
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

func TestHoldersAreTheUsersOfTheProcesses(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	proc := t.TempDir()
	for _, pid := range []string{"10", "11"} {
		if err := os.Mkdir(filepath.Join(proc, pid), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := &holder.Process{Proc: proc}
	got, known := p.Holders(metric.Look{ProcessesKnown: true, Processes: []metric.Process{{PID: 10}, {PID: 11}, {PID: 12}}})
	want := []usage.Holder{
		{Basis: usage.BasisProcess, Kind: "user", Name: me.Username},
		{Basis: usage.BasisProcess, Kind: "user", Name: "unknown"}, // 12 has ended
	}
	if diff := cmp.Diff(want, got); diff != "" || !known {
		t.Errorf("known %v, holders (-want +got):\n%s", known, diff)
	}
}

func TestNoProcessIsAFreeGPUAndNoListIsNoKnowledge(t *testing.T) {
	p := &holder.Process{Proc: t.TempDir()}
	if got, known := p.Holders(metric.Look{ProcessesKnown: true}); !known || len(got) != 0 {
		t.Errorf("an empty list: %v, %v; want a free GPU", got, known)
	}
	if got, known := p.Holders(metric.Look{}); known || got != nil {
		t.Errorf("no list: %v, %v; want nothing known", got, known)
	}
}

package fleet_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/sim/fleet"
	"github.com/gpumeter/gpumeter/usage"
)

// TestAgentsWriteWhatMinutesWrites lets each agent write a span alone.
func TestAgentsWriteWhatMinutesWrites(t *testing.T) {
	f := newFleet(t, fleet.Config{Seed: 5, GPUs: 100})
	from := start.Add(16*24*hour + 3*hour) // a region falls silent after a quarter of an hour
	want := map[usage.ID][]byte{}
	for _, s := range minutes(t, f, from, from.Add(30*time.Minute)) {
		want[s.Batch.ID()] = s.Body
	}
	all, silent := len(want), 0
	for _, a := range f.Agents(from) {
		for a.Start().Before(from.Add(30 * time.Minute)) {
			s, ok, err := a.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				silent++
				continue
			}
			if !bytes.Equal(want[s.Batch.ID()], s.Body) {
				t.Fatalf("batch %s is another one", s.Batch.ID())
			}
			delete(want, s.Batch.ID())
		}
	}
	if len(want) > 0 || all == 0 || silent == 0 {
		t.Errorf("of %d batches agents did not write %d; %d times a node was silent", all, len(want), silent)
	}
}

func TestCloudsBoundTheFleet(t *testing.T) {
	for n := 1; n <= fleet.Clouds; n++ {
		f := newFleet(t, fleet.Config{Seed: 5, GPUs: 4000, Clouds: n})
		seen := map[string]bool{}
		for _, s := range minutes(t, f, start.Add(25*24*hour), start.Add(25*24*hour+time.Minute)) {
			seen[s.Batch.Node.Cloud.Provider] = true
		}
		if len(seen) != n {
			t.Errorf("%d clouds: nodes stand in %v", n, seen)
		}
		if g := f.GPUs(); g < 3800 || g > 4200 {
			t.Errorf("%d clouds: %d GPUs, want about 4000", n, g)
		}
	}
	if _, err := fleet.New(fleet.Config{Clouds: fleet.Clouds + 1, Start: start}); err == nil {
		t.Error("a sixth cloud is accepted")
	}
}

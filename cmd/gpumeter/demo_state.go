package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gpumeter/gpumeter/cmd/internal/file"
	"github.com/gpumeter/gpumeter/sim/fleet"
)

// demoHistory is how far back the simulated fleet begins.
const demoHistory = 28 * 24 * time.Hour

// demoGap is the silence of the generator that is filled with minutes; of a
// longer one, whole hours are filled with hour records.
const demoGap = 2 * time.Hour

// demoState is what a demo remembers, so that the next start goes on with it:
// the same fleet, and the same batches under the same identities.
type demoState struct {
	// Machine says that the demo meters this machine's GPUs: there is no
	// simulated fleet, and no segment.
	Machine bool      `json:"machine,omitempty"`
	Seed    uint64    `json:"seed"`
	GPUs    int       `json:"gpus"`
	Started time.Time `json:"started"` // for the first time
	// Store is the id of the store that the Done segments are in.
	Store    string        `json:"store_id,omitempty"`
	Segments []demoSegment `json:"segments,omitempty"`
}

// demoSegment is a span of the fleet's life that is written as one kind of
// records. Segments follow each other without a gap; the last is open.
type demoSegment struct {
	Hours bool      `json:"hours"` // hour records; else minute records
	From  time.Time `json:"from"`
	To    time.Time `json:"to"` // zero: open
	Done  bool      `json:"done"`
}

// newDemoState begins a story at now: hours for as long as history, and
// minutes from the hour on that now lies in.
func newDemoState(seed uint64, gpus int, now time.Time, history time.Duration) demoState {
	now = now.UTC().Truncate(time.Second)
	hour := now.Truncate(time.Hour)
	return demoState{
		Seed: seed, GPUs: gpus, Started: now,
		Segments: []demoSegment{
			{Hours: true, From: now.Add(-history).Truncate(24 * time.Hour), To: hour},
			{From: hour},
		},
	}
}

// fleet makes up the fleet that the state is about.
func (s *demoState) fleet() (*fleet.Fleet, error) {
	return fleet.New(fleet.Config{Seed: s.Seed, GPUs: s.GPUs, Start: s.Segments[0].From})
}

// use ties the state to a store. What was done in another store is to be done
// again.
func (s *demoState) use(store string) {
	if s.Store != store {
		for i := range s.Segments {
			s.Segments[i].Done = false
		}
	}
	s.Store = store
}

// bridge goes on after a pause: until is the end of the minutes that are
// there. A long pause is filled with hours.
func (s *demoState) bridge(until, now time.Time) {
	last := &s.Segments[len(s.Segments)-1]
	if now.Sub(until) <= demoGap {
		return
	}
	from := until.UTC().Add(time.Hour - 1).Truncate(time.Hour)
	to := now.UTC().Truncate(time.Hour)
	last.To = from
	s.Segments = append(s.Segments, demoSegment{Hours: true, From: from, To: to}, demoSegment{From: to})
}

// rotate closes the open segment at a whole hour and begins another: what is
// done needs not be looked at again by the next start.
func (s *demoState) rotate(at time.Time) {
	last := &s.Segments[len(s.Segments)-1]
	last.To, last.Done = at.UTC(), true
	s.Segments = append(s.Segments, demoSegment{From: at.UTC()})
}

// check says whether the segments follow each other.
func (s *demoState) check() error {
	if s.Started.IsZero() || !s.Machine && len(s.Segments) < 2 {
		return errors.New("it has no start or no segments")
	}
	for i, x := range s.Segments {
		last := i+1 == len(s.Segments)
		switch {
		case x.From.IsZero() || x.To.IsZero() != last || last && (x.Done || x.Hours):
			return fmt.Errorf("segment %d is not well formed", i+1)
		case i > 0 && !x.From.Equal(s.Segments[i-1].To):
			return fmt.Errorf("segment %d does not follow the one before it", i+1)
		}
	}
	return nil
}

// readDemoState returns the state of a data folder; ok is false where there is
// none.
func readDemoState(dir string) (s demoState, ok bool, err error) {
	name := filepath.Join(dir, demoStateFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return s, false, fmt.Errorf("read demo state %s (gpumeter demo --fresh starts anew): %w", name, err)
	}
	return s, true, nil
}

// write replaces the state of a data folder.
func (s *demoState) write(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode demo state: %w", err)
	}
	return file.Replace(filepath.Join(dir, demoStateFile), append(data, '\n'), 0o600)
}

package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// DefaultPause is how long a pause lasts when nobody says otherwise: long
// enough for a driver upgrade, short enough that a forgotten pause ends.
const DefaultPause = 15 * time.Minute

// releaseLimit bounds how long letting go of the driver may take.
const releaseLimit = 2 * time.Second

// pause remembers until when the driver is let go, and who asked.
type pause struct {
	mu    sync.Mutex // guards what follows
	until time.Time  // zero: not paused
	file  bool       // the pause lasts as long as the file is there
}

// Pause lets go of every handle on the GPUs, so that a driver upgrade, a GPU
// reset or a MIG change can run, and returns when none is open any more. The
// agent resumes by itself after a while. Pausing again sets the end anew.
func (a *Agent) Pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		d = DefaultPause
	}
	a.pause.mu.Lock()
	a.pause.until = a.cfg.Now().Add(d)
	a.pause.mu.Unlock()
	return a.release(ctx)
}

func (a *Agent) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	return a.reader.Pause(ctx)
}

// Resume ends a pause; it does nothing if there is none. A pause file that is
// still there keeps the agent paused.
func (a *Agent) Resume() {
	a.pause.mu.Lock()
	defer a.pause.mu.Unlock()
	a.pause.until = time.Time{}
	if !a.pause.file {
		a.reader.Resume() // does not wait
	}
}

// followPause begins and ends pauses by the pause file and the clock. It is
// called by the loop, which also writes the events.
func (a *Agent) followPause(ctx context.Context) {
	a.pause.mu.Lock()
	was := a.pause.file
	now := pauseFileThere(a.cfg.PauseFile)
	a.pause.file = now
	expired := !a.pause.until.IsZero() && !a.cfg.Now().Before(a.pause.until)
	if expired {
		a.pause.until = time.Time{}
	}
	timed := !a.pause.until.IsZero()
	if (was && !now || expired) && !timed && !now {
		a.reader.Resume() // under the lock: a new Pause must come after it
	}
	a.pause.mu.Unlock()
	if now && !was {
		if err := a.release(ctx); err != nil {
			a.cfg.Log.Warn("driver is not let go yet", "err", err)
		}
	}
	a.notePause(now || timed)
}

// notePause writes an event when a pause begins or ends.
func (a *Agent) notePause(paused bool) {
	a.mu.Lock()
	was := a.stats.Paused
	a.stats.Paused = paused
	a.mu.Unlock()
	switch {
	case paused && !was:
		a.meter.Event(usage.EventPause, "")
	case !paused && was:
		a.meter.Event(usage.EventResume, "")
	}
}

func pauseFileThere(name string) bool {
	if name == "" {
		return false
	}
	_, err := os.Stat(name)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows how far the preparation is: a bar that is drawn again
// and again on a terminal, and lines elsewhere. It may be used concurrently.
type progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time

	mu    sync.Mutex // guards what follows
	step  string
	began time.Time
	drawn time.Time
}

// barWidth is the bar's length in characters, redraw how often it is drawn.
const (
	barWidth = 30
	redraw   = 100 * time.Millisecond
)

func newProgress(w io.Writer, now func() time.Time) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, now: now, terminal: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"}
}

// begin names the step that is under way.
func (p *progress) begin(step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.began, p.drawn = step, p.now(), time.Time{}
	if !p.terminal {
		fmt.Fprintf(p.w, "%s …\n", step)
	}
}

// set draws the bar at a share of 0 to 1.
func (p *progress) set(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if !p.terminal || now.Sub(p.drawn) < redraw {
		return
	}
	p.drawn = now
	n := int(min(max(share, 0), 1) * barWidth)
	fmt.Fprintf(p.w, "\r\x1b[K%-34s [%s%s] %3.0f %%", p.step, strings.Repeat("#", n), strings.Repeat(".", barWidth-n), 100*share)
}

// breakOff leaves a step as it is, for what follows to begin on a new line.
func (p *progress) breakOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal && !p.drawn.IsZero() {
		fmt.Fprintln(p.w)
	}
	p.drawn = time.Time{}
}

// end closes the step with what came of it.
func (p *progress) end(outcome string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("%-34s %s (%.1f s)\n", p.step, outcome, p.now().Sub(p.began).Seconds())
	if p.terminal {
		line = "\r\x1b[K" + line
	}
	fmt.Fprint(p.w, line)
	p.drawn = time.Time{}
}

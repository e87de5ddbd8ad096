package systemd

import (
	"context"
	"strings"
	"time"
)

// Service is what systemd is told about. Its functions are called from one
// goroutine.
type Service struct {
	// Progress counts what the service does. It is ready when the count is
	// above zero, and works while the count moves: nothing is said for one that
	// stands still, and systemd ends it. Nil is ready at once, and works as long
	// as it can say so.
	Progress func() uint64
	// Status is one line for people; nil says nothing.
	Status func() string
}

const (
	readyEvery  = 100 * time.Millisecond // between two looks at whether a service is ready
	statusEvery = 15 * time.Second       // where no watchdog waits
	beats       = 4                      // signs of life in the time that a watchdog waits
)

// Follow tells systemd of a service until ctx ends.
func (m Manager) Follow(ctx context.Context, s Service) {
	if m.send == nil || !s.awaitReady(ctx) {
		return
	}
	m.tell(s.words("READY=1")...)
	every := statusEvery
	if m.watchdog > 0 {
		every = m.watchdog / beats
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := s.progress()
	for {
		select {
		case <-ctx.Done():
			m.tell("STOPPING=1")
			return
		case <-tick.C:
		}
		now := s.progress()
		if s.Progress != nil && now == last {
			m.log.Warn("nothing moves", "since", every)
			continue
		}
		last = now
		m.tell(s.words("WATCHDOG=1")...)
	}
}

// awaitReady reports whether the service became ready before ctx ended.
func (s Service) awaitReady(ctx context.Context) bool {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for s.Progress != nil && s.Progress() == 0 {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return ctx.Err() == nil
}

func (s Service) progress() uint64 {
	if s.Progress == nil {
		return 0
	}
	return s.Progress()
}

// words adds the status to a word. A line break in it would begin a new word.
func (s Service) words(word string) []string {
	if s.Status == nil {
		return []string{word}
	}
	line := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s.Status())
	return []string{word, "STATUS=" + line}
}

package influx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// sink is where batches go. One goroutine calls pack, and one the others.
type sink interface {
	// pack makes of a batch what waits for write.
	pack(b batch) batch
	write(ctx context.Context, b batch) error
	close()
}

func newSink(cfg Config) (sink, error) {
	switch {
	case cfg.Writer != nil:
		return &stream{w: cfg.Writer}, nil
	case cfg.File != "":
		return &file{name: cfg.File}, nil
	}
	return newServer(cfg)
}

// stream is a sink that belongs to others, such as standard output.
type stream struct{ w io.Writer }

func (*stream) pack(b batch) batch { return b }
func (*stream) close()             {}

func (s *stream) write(_ context.Context, b batch) error {
	if _, err := s.w.Write(b.body); err != nil {
		// How much of it is out nobody can tell: again would be twice.
		return &refused{fmt.Errorf("write lines: %w", err)}
	}
	return nil
}

// file appends to a file that others may rename.
type file struct {
	name string
	f    *os.File
}

func (*file) pack(b batch) batch { return b }

func (s *file) close() {
	if s.f != nil {
		_ = s.f.Close()
		s.f = nil
	}
}

func (s *file) write(_ context.Context, b batch) error {
	before, err := s.open()
	if err != nil {
		return err
	}
	n, err := s.f.Write(b.body)
	if err == nil {
		return nil
	}
	if n > 0 {
		// Half a line would be read as a whole one with a wrong value.
		err = errors.Join(err, s.f.Truncate(before))
	}
	return fmt.Errorf("write lines: %w", err)
}

// open opens the file, again if its name stands for another one now, and
// returns its size.
func (s *file) open() (int64, error) {
	if s.f != nil {
		named, err := os.Stat(s.name)
		opened, err2 := s.f.Stat()
		if err == nil && err2 == nil && os.SameFile(named, opened) {
			return opened.Size(), nil
		}
		s.close()
	}
	f, err := os.OpenFile(s.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return 0, err
	}
	s.f = f
	return st.Size(), nil
}

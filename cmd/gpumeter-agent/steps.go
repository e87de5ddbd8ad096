package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gpumeter/gpumeter/cmd/internal/file"
)

// steps changes an installed agent, and says each step; in a dry run it only says
// what it would do.
type steps struct {
	unit   unit
	dryRun bool
	out    io.Writer
	taken  int             // steps
	gone   map[string]bool // files that were removed, or would be
}

// say says a step that was done, or that would be.
func (s *steps) say(would, done string) {
	s.taken++
	if s.dryRun {
		done = "would " + would
	}
	fmt.Fprintln(s.out, done)
}

// change is a file that is to have other content.
type change struct {
	path    string
	content []byte
	mode    fs.FileMode
	what    string // for people
}

// done reports whether the file is as it should be.
func (c *change) done() (bool, error) {
	info, err := os.Stat(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(c.path)
	return err == nil && bytes.Equal(text, c.content) && info.Mode().Perm() == c.mode, err
}

// write makes a file what it is to be.
func (s *steps) write(c *change) error {
	if !s.dryRun {
		if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
			return needsRoot(err)
		}
		if err := file.Replace(c.path, c.content, c.mode); err != nil {
			return needsRoot(err)
		}
	}
	to := fmt.Sprintf("%s to %s", c.what, c.path)
	s.say("write "+to, "wrote "+to)
	return nil
}

// remove removes a file, where it is there.
func (s *steps) remove(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !s.dryRun {
		if err := os.Remove(path); err != nil {
			return needsRoot(err)
		}
	}
	if s.gone == nil {
		s.gone = map[string]bool{}
	}
	s.gone[path] = true
	s.say("remove "+path, "removed "+path)
	return nil
}

// call has systemctl do something with the unit.
func (s *steps) call(ctx context.Context, args ...string) error {
	args = append(args, s.unit.name)
	if !s.dryRun {
		if err := s.unit.ask(ctx, args...); err != nil {
			return fmt.Errorf("%w (journalctl -u %s has the agent's own words)", err, s.unit.name)
		}
	}
	call := "systemctl " + strings.Join(args, " ")
	s.say("call "+call, "called "+call)
	return nil
}

// needsRoot says what to do about a file that this user may not write.
func needsRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (call it as root, with sudo)", err)
	}
	return err
}

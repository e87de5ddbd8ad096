package collector

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Backups is how a collector backs its store up by itself. The zero Backups
// are none.
type Backups struct {
	Dir   string        // a folder is made in it for each backup
	Every time.Duration // at least a minute
	Keep  int           // so many are kept, at least 1
}

// backer is a store that copies itself into a folder.
type backer interface {
	Backup(ctx context.Context, to string) error
}

// backupLayout is the name of a backup: when it was made, UTC.
const backupLayout = "gpumeter-20060102T150405Z"

// backUp backs the store up until ctx ends, first a while after the start: the
// last backup may be of just before.
func (c *Collector) backUp(ctx context.Context) {
	st, ok := c.cfg.Store.(backer)
	if !ok || c.cfg.Backups.Dir == "" {
		return
	}
	tick := time.NewTicker(c.cfg.Backups.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			began := c.cfg.Now()
			to, err := c.cfg.Backups.make(ctx, st, began)
			switch {
			case err == nil:
				c.cfg.Log.Info("store backed up", "folder", to, "seconds", c.cfg.Now().Sub(began).Seconds())
			case ctx.Err() == nil:
				c.metrics.backupErrors.Inc()
				c.cfg.Log.Error("store not backed up", "err", err)
			}
		}
	}
}

// make makes a backup, and then takes away the oldest beyond those to keep.
func (b Backups) make(ctx context.Context, st backer, now time.Time) (string, error) {
	to := filepath.Join(b.Dir, now.UTC().Format(backupLayout))
	if err := st.Backup(ctx, to); err != nil {
		return "", err
	}
	names, err := b.list()
	if err != nil {
		return "", err
	}
	for _, name := range names[:max(0, len(names)-b.Keep)] {
		if err := os.RemoveAll(filepath.Join(b.Dir, name)); err != nil {
			return "", fmt.Errorf("take an old backup away: %w", err)
		}
	}
	return to, nil
}

// last says when the latest backup there was begun, as its name tells; zero if
// there is none.
func (b Backups) last() time.Time {
	if b.Dir == "" {
		return time.Time{}
	}
	names, err := b.list()
	if err != nil || len(names) == 0 {
		return time.Time{}
	}
	at, _ := time.Parse(backupLayout, names[len(names)-1]) // list has parsed it
	return at
}

// list returns the names of the backups there, the oldest first. Other files
// are none of ours.
func (b Backups) list() ([]string, error) {
	entries, err := os.ReadDir(b.Dir)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	var out []string
	for _, e := range entries {
		if _, err := time.Parse(backupLayout, e.Name()); err == nil && e.IsDir() {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/focus"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
)

// clickhouseLinger is how long a commit waits for others to join it: every
// INSERT makes a file or more, which ClickHouse likes to be few and large.
const clickhouseLinger = 400 * time.Millisecond

// place is where a collector keeps things.
type place struct {
	store  store.Store
	focus  *focus.Folder // nil without a data folder
	linger time.Duration // zero: the default
}

// checkPlace refuses flags that contradict one another.
func (a *collectorArgs) checkPlace() error {
	switch {
	case a.Store == "" && a.Data == "":
		return usageError{errors.New("where to keep what agents send? Name a folder with --data DIR, or a database with --store clickhouse://…")}
	case a.Store != "" && !strings.HasPrefix(a.Store, "clickhouse://"):
		return usageError{errors.New("--store takes a database of the form clickhouse://…; the embedded store is --data DIR")}
	case a.Backups.Dir != "" && a.Store != "":
		return usageError{errors.New("--backups is for the embedded store: back ClickHouse up with its own tools")}
	case a.Backups.Dir != "" && (a.Backups.Every < time.Minute || a.Backups.Keep < 1):
		return usageError{fmt.Errorf("backups every %s, of which %d are kept: a minute and 1 are the least", a.Backups.Every, a.Backups.Keep)}
	}
	return nil
}

// open opens the store, and makes it if it is not there.
func (a *collectorArgs) open(ctx context.Context, log *slog.Logger) (p place, err error) {
	if a.Data != "" {
		p.focus = focus.NewFolder(a.Data)
	}
	if a.Store == "" {
		p.store, err = duckdb.Open(ctx, a.Data, duckdb.Options{MemoryLimit: a.MemoryMiB << 20, Log: log})
		return p, err
	}
	address, err := clickhouse.ParseAddress(a.Store)
	if err != nil {
		return p, usageError{err}
	}
	p.linger = clickhouseLinger
	p.store, err = clickhouse.Open(ctx, clickhouse.Options{Address: address, Log: log})
	return p, err
}

// config is that of a collector which keeps things there.
func (p place) config(c collector.Config) collector.Config {
	c.Store, c.Focus, c.Linger = p.store, p.focus, p.linger
	return c
}

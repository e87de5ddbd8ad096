package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"sort"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// rerunStep is how many digests are held in memory at one time, of some 70
// bytes each.
const rerunStep = 1_000_000

// Runs is a method of store.Anchors.
func (d *DB) Runs(ctx context.Context, fromMs, toMs int64) ([]store.Run, error) {
	var out []store.Run
	err := d.view(ctx, func(*state) {}, func(conn *sql.Conn) error {
		err := each(ctx, conn, sqlRuns, func(scan func(...any) error) error {
			var r store.Run
			err := scan(&r.Agent, &r.Epoch, &r.Lo, &r.Hi)
			out = append(out, r)
			return err
		}, sql.Named("from", fromMs), sql.Named("to", toMs))
		if err != nil {
			return err
		}
		return rerun(ctx, conn, out)
	})
	if err != nil {
		return nil, fmt.Errorf("read runs of batches: %w", err)
	}
	return out, nil
}

// Rerun is a method of store.Anchors.
func (d *DB) Rerun(ctx context.Context, runs []store.Run) ([]store.Run, error) {
	out := make([]store.Run, len(runs))
	for i, r := range runs {
		out[i] = store.Run{Agent: r.Agent, Epoch: r.Epoch, Lo: r.Lo, Hi: r.Hi}
	}
	err := d.view(ctx, func(s *state) {
		for i, r := range out {
			out[i].Pruned = overlaps(s.goneSeqs[feed{r.Agent, r.Epoch}], r)
		}
	}, func(conn *sql.Conn) error { return rerun(ctx, conn, out) })
	if err != nil {
		return nil, fmt.Errorf("read runs of batches: %w", err)
	}
	return out, nil
}

// overlaps reports whether a batch of the run is in the ranges.
func overlaps(ranges usage.Ranges, r store.Run) bool {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].Hi >= r.Lo })
	return i < len(ranges) && ranges[i].Lo <= r.Hi
}

// rerun fills in what runs are, some at a time.
func rerun(ctx context.Context, conn *sql.Conn, runs []store.Run) error {
	if err := exec(ctx, conn, "CREATE TEMP TABLE runs (n INTEGER, agent VARCHAR, epoch VARCHAR, lo UBIGINT, hi UBIGINT)"); err != nil {
		return err
	}
	for len(runs) > 0 {
		n, batches := 0, uint64(0)
		for n < len(runs) && (n == 0 || batches+runs[n].Hi-runs[n].Lo < rerunStep) {
			batches += runs[n].Hi - runs[n].Lo + 1
			n++
		}
		if err := rerunSome(ctx, conn, runs[:n]); err != nil {
			return err
		}
		runs = runs[n:]
	}
	return nil
}

func rerunSome(ctx context.Context, conn *sql.Conn, runs []store.Run) error {
	if err := exec(ctx, conn, "DELETE FROM temp.main.runs"); err != nil {
		return err
	}
	err := rows{"runs", len(runs), func(i int) []driver.Value {
		return []driver.Value{int32(i), runs[i].Agent, runs[i].Epoch, runs[i].Lo, runs[i].Hi}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return err
	}
	return each(ctx, conn, sqlRerun, func(scan func(...any) error) error {
		var n int
		var count uint64
		var head []byte
		var kept string
		if err := scan(&n, &count, &head, &kept); err != nil {
			return err
		}
		if r := &runs[n]; count == r.Hi-r.Lo+1 {
			r.Head, r.Kept = hex.EncodeToString(head), kept
		}
		return nil
	})
}

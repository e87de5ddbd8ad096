package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// need is what a replica must have to be asked: hour records and parts of days
// are written to one replica and go to the others by and by. No quorum is asked
// for: servers of 2018 would read nothing any more, once the last rows that a
// quorum was asked for in a partition are gone with the partition.
type need struct {
	hours map[attempt]uint64   // rows of attempts
	parts map[partition]uint64 // rows of parts that prunings wrote
}

// needs are those of every shard, by its number.
type needs map[int]need

// spreadPatience is how long replicas may take to have a part of a day.
const spreadPatience = 2 * time.Minute

// errLags says that a replica has not got all rows yet.
var errLags = errors.New("the replica lags behind")

// holds returns errLags if a replica lacks rows.
func (r *replica) holds(ctx context.Context, n need) error {
	if len(n.hours) > 0 {
		rows, err := r.hourRows(ctx)
		if err != nil {
			return err
		}
		for at, want := range n.hours {
			if got := rows[at]; got != want {
				return fmt.Errorf("%w: it has %d of %d hour records of attempt %d of %d", errLags, got, want, at.number, at.day)
			}
		}
	}
	if len(n.parts) > 0 {
		stamps, err := r.stamps(ctx)
		if err != nil {
			return err
		}
		return hasParts(stamps, n.parts)
	}
	return nil
}

// spread waits until a quorum of replicas has some parts.
func (s *shard) spread(ctx context.Context, parts map[partition]uint64) error {
	for deadline := time.Now().Add(spreadPatience); ; {
		n := 0
		var all error
		for _, r := range s.replicas {
			err := r.ready(ctx, s)
			if err == nil {
				err = r.holds(ctx, need{parts: parts})
			}
			if err == nil {
				n++
			}
			all = errors.Join(all, err)
		}
		if n >= max(s.quorum, 1) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d replicas have it: %w", n, s.quorum, all)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func hasParts(stamps map[partition]stamp, parts map[partition]uint64) error {
	for at, want := range parts {
		if got := stamps[at].rows; got != want {
			return fmt.Errorf("%w: it has %d of %d batches of part %d of %d", errLags, got, want, at.part, at.day)
		}
	}
	return nil
}

// needsOf returns what some prunings need: the parts that they wrote.
func (d *DB) needsOf(prunings map[uint32]pruning) needs {
	out := needs{}
	for _, s := range d.shards {
		parts := map[partition]uint64{}
		for _, p := range prunings {
			if n := s.number - 1; n < len(p.rows) && p.rows[n] > 0 {
				parts[partition{p.day, p.number}] = p.rows[n]
			}
		}
		out[s.number] = need{parts: parts}
	}
	return out
}

// needsOfHours returns what hour records need.
func (d *DB) needsOfHours(known []told) needs {
	out := needs{}
	for i, s := range d.shards {
		hours := map[attempt]uint64{}
		for _, t := range known {
			hours[attempt{t.day, t.attempts[i]}] = t.rows[i]
		}
		out[s.number] = need{hours: hours}
	}
	return out
}

// on returns the query as it is asked of replicas that have hour records too.
func (q query) on(hours needs) query {
	all := needs{}
	for number, n := range hours {
		n.parts = q.needs[number].parts
		all[number] = n
	}
	q.needs = all
	return q
}

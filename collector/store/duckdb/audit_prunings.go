package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
)

// prunings holds what is left of records that are gone against the digests that
// were made when they went.
func (a *auditor) prunings(ctx context.Context, conn *sql.Conn) error {
	all, err := a.readPrunings(ctx, conn)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if err := a.holdPruning(ctx, conn, all[id]); err != nil {
			return err
		}
	}
	return each(ctx, conn, sqlAuditLate, func(scan func(...any) error) error {
		var h unitHour
		err := scan(&h.unit, &h.hour)
		a.found("table late", "unit %d, hour %d: it does not list the records that came after the hour's records were pruned", h.unit, h.hour)
		return err
	})
}

// days holds the table of closed days against the ledger's list.
func (a *auditor) days(ctx context.Context, conn *sql.Conn) error {
	const where = "table days"
	list, err := daysInLedger(ctx, conn)
	if err != nil {
		a.found(where, "the ledger's list of closed days cannot be read: %v", err)
		return ctx.Err()
	}
	listed := map[string]bool{}
	for _, c := range list {
		listed[fmt.Sprintf("%+v", c)] = true
	}
	err = each(ctx, conn, sqlLoadDays, func(scan func(...any) error) error {
		var c closedDay
		err := scan(append([]any{&c.day, &c.edition, &c.sha256}, c.extent.fields()...)...)
		if key := fmt.Sprintf("%+v", c); listed[key] {
			delete(listed, key)
		} else {
			a.found(where, "day %s, edition %d: the ledger lists it otherwise, or not, or it stands twice", date(c.day), c.edition)
		}
		return err
	})
	if len(listed) > 0 {
		a.found(where, "it lacks %d days that the ledger lists", len(listed))
	}
	return err
}

// past is a pruning as the tables tell it.
type past struct {
	pruning
	there  bool
	atMs   int64
	digest []byte
}

func (a *auditor) readPrunings(ctx context.Context, conn *sql.Conn) (map[int32]*past, error) {
	all := map[int32]*past{}
	of := func(id int32) *past {
		if all[id] == nil {
			all[id] = &past{pruning: pruning{id: id, origin: a.origin, names: a.state.names()}}
		}
		return all[id]
	}
	for query, row := range map[string]func(scan func(...any) error) error{
		"SELECT id, at_ms, from_hour, to_hour, digest FROM prunings": func(scan func(...any) error) error {
			var p past
			err := scan(&p.id, &p.atMs, &p.from, &p.to, &p.digest)
			x := of(p.id)
			if x.there {
				a.found(x.where(), "it stands there twice")
			}
			x.there, x.atMs, x.from, x.to, x.digest = true, p.atMs, p.from, p.to, p.digest
			return err
		},
		"SELECT pruning, unit, from_hour, to_hour FROM pruned_hours ORDER BY pruning, unit, from_hour, to_hour": func(scan func(...any) error) error {
			var id int32
			var r unitRun
			err := scan(&id, &r.unit, &r.from, &r.to)
			x := of(id)
			x.hours = append(x.hours, r)
			return err
		},
		"SELECT pruning, unit, stream, from_ms, to_ms, records FROM pruned_courses ORDER BY pruning, unit, stream, from_ms": func(scan func(...any) error) error {
			var id int32
			var c pastCourse
			err := scan(&id, &c.unit, &c.stream, &c.fromMs, &c.toMs, &c.records)
			x := of(id)
			x.courses = append(x.courses, c)
			return err
		},
		"SELECT pruning, stream, lo, hi, prev_hash, hash, digests FROM pruned_batches ORDER BY pruning, stream, lo, hi": func(scan func(...any) error) error {
			var id int32
			var r batchRun
			err := scan(&id, &r.stream, &r.lo, &r.hi, &r.prev, &r.hash, &r.digests)
			x := of(id)
			x.runs = append(x.runs, r)
			return err
		},
	} {
		if err := each(ctx, conn, query, row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (p *past) where() string { return fmt.Sprintf("pruning %d", p.id) }

// holdPruning makes the digest of one anew.
func (a *auditor) holdPruning(ctx context.Context, conn *sql.Conn, p *past) error {
	if !p.there {
		a.found(p.where(), "the tables have rows of it, and it is not there")
		return nil
	}
	if !p.speaks() {
		a.found(p.where(), "it names a unit or a stream that is not there")
		return nil
	}
	err := exec(ctx, conn, fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE gone_hours AS
		SELECT unit, unnest(range(from_hour, to_hour))::INTEGER AS hour FROM store.main.pruned_hours WHERE pruning = %d`, p.id))
	if err != nil {
		return err
	}
	if err := p.sealer.left(ctx, conn, &p.pruning); err != nil {
		return err
	}
	if now := p.sealer.digest(&p.pruning, p.atMs); p.sealer.wrong || string(now[:]) != string(p.digest) {
		a.found(p.where(), "what is left of the hours whose records went is not what was left then: its digest is %s, and was %x", now, p.digest)
	}
	a.seen.Pruned += p.records()
	return nil
}

// speaks reports whether all that its rows name is there.
func (p *past) speaks() bool {
	for _, r := range p.hours {
		if !p.names.known(r.unit, 1, 1, 1) || r.from < p.from || r.to > p.to {
			return false
		}
	}
	for i := range p.courses {
		if !p.names.known(p.courses[i].unit, p.courses[i].stream, 1, 1) {
			return false
		}
	}
	return !slices.ContainsFunc(p.runs, func(r batchRun) bool { return !p.names.known(1, r.stream, 1, 1) })
}

package duckdb

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/gpumeter/gpumeter/usage"
)

// load reads the state out of the tables.
func load(ctx context.Context, conn *sql.Conn) (*state, error) {
	s := newState()
	for _, table := range []struct {
		name string
		read func(context.Context, *sql.Conn, *state) error
	}{
		{"meta", loadOrigin}, {"documents", loadOthers}, {"nodes", loadNodes}, {"units", loadUnits}, {"streams", loadStreams},
		{"holders", loadHolders}, {"reasons", loadReasons}, {"inventory", loadInventory},
		{"batches", loadSeqs}, {"batches", loadHoles}, {"aside", loadAside},
		{"records", loadCourses}, {"doubts", loadDoubts}, {"events", loadGoodbyes}, {"meta", loadRolled}, {"rough", loadRough},
		{"pruned_hours", loadGone}, {"pruned_batches", loadGoneSeqs}, {"days", loadDays},
	} {
		if err := table.read(ctx, conn, s); err != nil {
			return nil, fmt.Errorf("read table %s: %w", table.name, err)
		}
	}
	return s, nil
}

// each calls f for every row of a query's answer.
func each(ctx context.Context, conn *sql.Conn, query string, f func(scan func(...any) error) error, args ...any) error {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// fill adds the next value to a dict, whose numbers have no holes.
func fill[T comparable](d *dict[T], id int, v T) error {
	d.add(v)
	if id != len(d.list) || len(d.ids) != len(d.list) {
		return fmt.Errorf("row %d has the id %d, or stands twice", len(d.list), id)
	}
	return nil
}

func loadOrigin(ctx context.Context, conn *sql.Conn, s *state) error {
	var id string
	var createdMs int64
	err := conn.QueryRowContext(ctx, "SELECT store_id, created_ms FROM meta").Scan(&id, &createdMs)
	s.origin = fmt.Sprintf("%s %d", id, createdMs)
	return err
}

func loadOthers(ctx context.Context, conn *sql.Conn, s *state) error {
	return conn.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM documents) + (SELECT count(*) FROM lives)").Scan(&s.others)
}

func loadNodes(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, sqlLoadNodes, func(scan func(...any) error) error {
		var id int
		var n usage.Node
		c := &n.Cloud
		if err := scan(&id, &n.Name, &n.MachineID, &c.Provider, &c.Account, &c.Region, &c.Zone,
			&c.InstanceType, &c.InstanceID, &c.Reservation, &c.Cluster, &c.Rack, &c.NodePool, &n.ExpectedGPUs); err != nil {
			return err
		}
		return fill(&s.nodes, id, n)
	})
}

func loadUnits(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, "SELECT id, node, gpu, model FROM units ORDER BY id", func(scan func(...any) error) error {
		var id int
		var u unit
		if err := scan(&id, &u.node, &u.gpu, &u.model); err != nil {
			return err
		}
		if u.node < 1 || int(u.node) > len(s.nodes.list) {
			return fmt.Errorf("unit %d is in node %d, which is not there", id, u.node)
		}
		return fill(&s.units, id, u)
	})
}

func loadStreams(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, "SELECT id, agent, epoch, evidence FROM streams ORDER BY id", func(scan func(...any) error) error {
		var id int
		var x stream
		if err := scan(&id, &x.agent, &x.epoch, &x.evidence); err != nil {
			return err
		}
		return fill(&s.streams, id, x)
	})
}

func loadHolders(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, "SELECT id, basis, kind, team, name, part, labels FROM holders ORDER BY id", func(scan func(...any) error) error {
		var id int
		var h usage.Holder
		if err := scan(&id, &h.Basis, &h.Kind, &h.Group, &h.Name, &h.Part, &h.Labels); err != nil {
			return err
		}
		return fill(&s.holders, id, h)
	})
}

func loadReasons(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, "SELECT id, reason FROM reasons ORDER BY id", func(scan func(...any) error) error {
		var id int
		var reason string
		if err := scan(&id, &reason); err != nil {
			return err
		}
		return fill(&s.reasons, id, reason)
	})
}

func loadInventory(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, sqlLoadInventory, func(scan func(...any) error) error {
		var unit int32
		var t traits
		if err := scan(&unit, &t.name, &t.index, &t.serial, &t.pci, &t.memoryBytes, &t.driver, &t.agent); err != nil {
			return err
		}
		s.traits[unit] = t
		return nil
	})
}

func loadSeqs(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, sqlLoadSeqs, func(scan func(...any) error) error {
		var id int32
		var block, lo, hi uint64
		var n int64
		if err := scan(&id, &block, &lo, &hi, &n); err != nil {
			return err
		}
		s.counts.Batches += n
		if hi-lo+1 != uint64(n) {
			return nil // loadHoles reads this block
		}
		return s.addSeqs(id, usage.Range{Lo: lo, Hi: hi})
	})
}

func loadHoles(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, sqlLoadHoles, func(scan func(...any) error) error {
		var id int32
		var seq uint64
		if err := scan(&id, &seq); err != nil {
			return err
		}
		return s.addSeqs(id, usage.Range{Lo: seq, Hi: seq})
	})
}

func (s *state) addSeqs(stream int32, r usage.Range) error {
	if stream < 1 || int(stream) > len(s.streams.list) {
		return fmt.Errorf("batch %d is of stream %d, which is not there", r.Lo, stream)
	}
	x := s.streams.list[stream-1]
	f := feed{x.agent, x.epoch}
	s.seqs[f] = s.seqs[f].AddRange(r)
	return nil
}

func loadAside(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, "SELECT agent, epoch, seq, hash, kind FROM aside", func(scan func(...any) error) error {
		var id usage.ID
		var hash []byte
		var kind string
		if err := scan(&id.Agent, &id.Epoch, &id.Seq, &hash, &kind); err != nil {
			return err
		}
		r := asideRow{id: id, sealed: &usage.Sealed{}, kind: kind}
		copy(r.sealed.Hash[:], hash)
		s.keepAside(&r)
		f := feed{id.Agent, id.Epoch}
		s.seqs[f] = s.seqs[f].Add(id.Seq)
		return nil
	})
}

func loadCourses(ctx context.Context, conn *sql.Conn, s *state) error {
	var last course
	var spans spans
	end := func() {
		if len(spans) > 0 {
			s.addCourse(last, spans)
		}
	}
	err := each(ctx, conn, sqlLoadCourses, func(scan func(...any) error) error {
		var c course
		var x span
		var n, gone int64
		if err := scan(&c.unit, &c.stream, &x.fromMs, &x.toMs, &n, &gone); err != nil {
			return err
		}
		if c.unit < 1 || int(c.unit) > len(s.units.list) || c.stream < 1 || int(c.stream) > len(s.streams.list) {
			return fmt.Errorf("%d records are of unit %d and stream %d, which are not there", n, c.unit, c.stream)
		}
		if c != last {
			end()
			last, spans = c, nil
		}
		spans = spans.add(x)
		s.counts.Records += n
		s.counts.Pruned += gone
		return nil
	})
	end()
	return err
}

func loadDoubts(ctx context.Context, conn *sql.Conn, s *state) error {
	err := each(ctx, conn, "SELECT gpu, from_ms, to_ms FROM doubts", func(scan func(...any) error) error {
		var gpu string
		var x span
		if err := scan(&gpu, &x.fromMs, &x.toMs); err != nil {
			return err
		}
		s.doubts[gpu] = append(s.doubts[gpu], x)
		return nil
	})
	for gpu, x := range s.doubts {
		s.doubts[gpu] = union(x)
	}
	return err
}

func loadGoodbyes(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, "SELECT node, gpu, at_ms FROM events WHERE kind = 'goodbye'", func(scan func(...any) error) error {
		var node int32
		var g goodbye
		if err := scan(&node, &g.gpu, &g.atMs); err != nil {
			return err
		}
		s.goodbyes[node] = append(s.goodbyes[node], g)
		return nil
	})
}

func loadRolled(ctx context.Context, conn *sql.Conn, s *state) error {
	return conn.QueryRowContext(ctx, "SELECT rolled_hour FROM meta").Scan(&s.rolled)
}

func loadRough(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, sqlLoadRough, func(scan func(...any) error) error {
		var h unitHour
		if err := scan(&h.unit, &h.hour); err != nil {
			return err
		}
		if h.unit < 1 || int(h.unit) > len(s.units.list) {
			return fmt.Errorf("hour %d is of unit %d, which is not there", h.hour, h.unit)
		}
		s.rough.set(h, touch{})
		return nil
	})
}

func loadGone(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, sqlLoadPruned, func(scan func(...any) error) error {
		var unit int32
		var r hourRun
		if err := scan(&unit, &r.from, &r.to); err != nil {
			return err
		}
		if unit < 1 || int(unit) > len(s.units.list) || r.from < 0 || r.from >= r.to {
			return fmt.Errorf("hours %d to %d are of unit %d, which is not there, or are none", r.from, r.to, unit)
		}
		s.gone[unit] = append(s.gone[unit], r)
		return nil
	})
}

func loadGoneSeqs(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, sqlLoadGoneSeqs, func(scan func(...any) error) error {
		var r batchRun
		if err := scan(&r.stream, &r.lo, &r.hi); err != nil {
			return err
		}
		if r.lo > r.hi {
			return fmt.Errorf("batches %d to %d are none", r.lo, r.hi)
		}
		if err := s.addSeqs(r.stream, usageRange(&r)); err != nil {
			return err
		}
		s.counts.Batches += int64(r.hi - r.lo + 1)
		s.addGoneSeqs(&r)
		return nil
	})
}

package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"math"
	"slices"
)

// contest is time of one GPU that a stream may not be alone to claim.
type contest struct {
	gpu int32 // numbers the GPU within one question
	course
	rank int32 // of the stream among those of the GPU; 0 owns
	span
}

// reachMs is how long a record may be: usage.Batch.Check sees to it. Records
// that overlap one another may reach so far out of the time asked for.
const reachMs = 3_600_000

// widen returns s with the time that a record may reach out of it.
func (s span) widen() span {
	return span{s.fromMs - reachMs, min(s.toMs, math.MaxInt64-reachMs) + reachMs}
}

// contested returns the time that matters to a question in which GPUs may have
// been recorded twice: where the courses of two streams overlap, or where
// there are doubts about one. Courses span silences, so that it may be more
// time than was truly recorded twice, and is never less. Time that hour records
// tell does not matter: they are made of records that own it.
func (s *state) contested(a *question) []contest {
	spans, within := a.Spans, a.within.widen()
	single := a.singleSpans()
	var out []contest
	var gpus int32
	done := map[string]bool{}
	for i := range spans {
		u := spans[i].Unit
		if u < 1 || u > int64(len(s.units.list)) {
			continue
		}
		gpu := s.units.list[u-1].gpu
		courses := s.byGPU[gpu]
		if len(courses) < 2 && len(s.doubts[gpu]) == 0 || done[gpu] {
			continue
		}
		done[gpu] = true
		n := len(out)
		if out = s.appendContests(out, courses, a.readPart(s.disputes(gpu, within), single[gpu])); len(out) > n {
			for j := n; j < len(out); j++ {
				out[j].gpu = gpus
			}
			gpus++
		}
	}
	return out
}

// singleSpans returns the hours of each GPU that are read record by record in
// some unit, with the time that their records may reach out of them.
func (a *question) singleSpans() map[string][]span {
	out := map[string][]span{}
	for _, h := range a.single { // ascending
		gpu := a.units[h.unit-1].gpu
		out[gpu] = append(out[gpu], span{int64(h.hour) * hourMs, int64(h.hour+1) * hourMs}.widen())
	}
	return out
}

// readPart returns the part of some time that matters to records read one by
// one; single is of the GPU.
func (a *question) readPart(of, single []span) []span {
	read := slices.Clone(single)
	for _, h := range a.cut {
		read = append(read, span{h * hourMs, (h + 1) * hourMs}.widen())
	}
	read = append(read, span{a.rolled*hourMs - reachMs, math.MaxInt64})
	return spans(of).common(nil, union(read))
}

// disputes returns the time in which a GPU may have been recorded twice, as
// disjoint spans.
func (s *state) disputes(gpu string, within span) []span {
	all := slices.Clone(s.doubts[gpu])
	courses := s.byGPU[gpu]
	for i, a := range courses {
		for _, b := range courses[:i] {
			if a.stream != b.stream {
				all = s.courses[a].common(all, s.courses[b])
			}
		}
	}
	all = s.appendGone(all, courses, within)
	var out []span
	for _, x := range union(all) {
		if x = x.clip(within); x.fromMs < x.toMs {
			out = append(out, x)
		}
	}
	return out
}

// appendGone adds the time of a GPU in one unit that is gone and that another
// unit has a course in: no doubt is left of it.
func (s *state) appendGone(out []span, courses []course, within span) []span {
	for _, a := range courses {
		for _, b := range courses {
			if gone := s.gone[a.unit]; len(gone) > 0 && b.unit != a.unit {
				out = s.courses[b].common(out, gone.within(within))
			}
		}
	}
	return out
}

// appendContests makes every course of a GPU a party to its disputes.
func (s *state) appendContests(out []contest, courses []course, disputes []span) []contest {
	if len(disputes) == 0 {
		return out
	}
	var ranks []int32 // stream numbers, by who owns
	for _, c := range courses {
		ranks = append(ranks, c.stream)
	}
	slices.SortFunc(ranks, func(a, b int32) int { return s.streams.list[a-1].compare(s.streams.list[b-1]) })
	ranks = slices.Compact(ranks)
	for _, c := range courses {
		rank := int32(slices.Index(ranks, c.stream))
		for _, x := range disputes {
			if s.courses[c].overlap(x) {
				out = append(out, contest{course: c, rank: rank, span: x})
			}
		}
	}
	return out
}

// settle finds the records that do not own their time, and returns the
// statement that says which records count.
func (a *question) settle(ctx context.Context, conn *sql.Conn) (string, error) {
	if len(a.contested) == 0 {
		return sqlCountedAll, nil
	}
	err := rows{"contested", len(a.contested), func(i int) []driver.Value {
		c := &a.contested[i]
		return []driver.Value{c.gpu, c.unit, c.stream, c.rank, c.fromMs, c.toMs}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return "", err
	}
	if err := a.putGone(ctx, conn); err != nil {
		return "", err
	}
	lost, err := losers(ctx, conn, a.within.widen())
	if err != nil || len(lost) == 0 {
		return sqlCountedAll, err
	}
	err = rows{"lost", len(lost), func(i int) []driver.Value {
		c := &lost[i]
		return []driver.Value{c.unit, c.stream, c.seq, c.fromMs}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return "", err
	}
	a.lost = true
	return sqlCountedOwned, exec(ctx, conn, sqlLostRecords)
}

// putGone writes the hours in contested time whose records are gone: they own
// it.
func (a *question) putGone(ctx context.Context, conn *sql.Conn) error {
	return rows{"contested_gone", len(a.goneTime), func(i int) []driver.Value {
		c := &a.goneTime[i]
		return []driver.Value{c.gpu, c.unit, c.fromMs, c.toMs}
	}}.appendTo(ctx, conn, "temp")
}

// goneOf returns the parts of contests whose records are gone.
func (s *state) goneOf(contests []contest) []contest {
	var out []contest
	for _, c := range contests {
		for _, x := range s.gone[c.unit].within(c.span) {
			out = append(out, contest{gpu: c.gpu, course: course{unit: c.unit}, span: x})
		}
	}
	return out
}

// claim is a window of a GPU as one batch tells it.
type claim struct {
	gpu, rank int32
	course
	seq uint64
	span
}

// owns is negative if c owns what both claim, 0 if one batch claims both.
func (c *claim) owns(o *claim) int {
	return cmp.Or(cmp.Compare(c.rank, o.rank), cmp.Compare(c.seq, o.seq))
}

// losers returns the claims in contested time that overlap one which owns.
func losers(ctx context.Context, conn *sql.Conn, within span) ([]loss, error) {
	var s sweep
	err := each(ctx, conn, sqlClaims, func(scan func(...any) error) error {
		var c claim
		if err := scan(&c.gpu, &c.rank, &c.unit, &c.stream, &c.seq, &c.fromMs, &c.toMs); err != nil {
			return err
		}
		s.add(c)
		return nil
	}, sql.Named("from", within.fromMs), sql.Named("to", within.toMs))
	s.retire(func(*claim) bool { return true })
	return s.lost, err
}

// sweep goes through claims by GPU and start, and keeps those that the next
// one may overlap.
type sweep struct {
	open []rival
	lost []loss
}

// loss names the records of one window in one batch.
type loss struct {
	course
	seq    uint64
	fromMs int64
}

type rival struct {
	claim
	loses bool
}

func (s *sweep) add(c claim) {
	s.retire(func(o *claim) bool { return o.gpu != c.gpu || o.toMs <= c.fromMs })
	x := rival{claim: c}
	for i := range s.open {
		o := &s.open[i]
		if o.claim == c { // another holder of the window
			return
		}
		n := o.owns(&c)
		x.loses = x.loses || n < 0
		o.loses = o.loses || n > 0
	}
	s.open = append(s.open, x)
}

// retire lets go of the claims of which done is true, and writes down those
// that lost.
func (s *sweep) retire(done func(*claim) bool) {
	open := s.open[:0]
	for _, o := range s.open {
		if !done(&o.claim) {
			open = append(open, o)
		} else if o.loses {
			s.lost = append(s.lost, loss{o.course, o.seq, o.fromMs})
		}
	}
	s.open = open
}

package contract

// kind tells the GPUs of one tranche apart: those of the model that was bought
// go before those of an accepted one.
type kind int

const (
	bought kind = iota
	accepted
	kinds
)

// crew is the state of one tranche: the GPUs in its seats and those that wait
// for one. Entries of all heaps may be out of date; members tells.
type crew struct {
	slot    *slot
	running bool
	seats   int          // contracted now
	placed  int          // seats taken
	queue   [kinds]ranks // waiting GPUs by rank
	holders [kinds]ranks // placed GPUs by rank, negated: the last in the order is on top
	// silent holds the GPUs that fell silent in a seat and have not come back
	// since. It is emptied when no seat is missing.
	silent  map[string]bool
	silence course // how many of the missing are silent
	// mayBeLate is how many seats are so new that their GPUs may be missing.
	mayBeLate int
	grace     course // how many of the missing may be late
}

// None of the seats: where a stay is when it is in no tranche.
const (
	absent  = -2
	waiting = -1
)

// member is the state of one stay.
type member struct {
	seat    int // slot, or waiting, or absent
	seg     int
	class   int
	place   int // index in sweep.waiting
	touched bool
	sinceMs int64 // of what
	what    Placement
}

// sweep walks through time and keeps who sits where. Stays are named by their
// rank, which is their index and their place in the GPU order.
type sweep struct {
	stays    []stay
	members  []member
	classes  *classes
	crew     []crew         // by slot, in the order in which tranches are filled
	waiting  []int          // ranks of stays that stand in no seat, in no order
	lostFrom map[string]int // GPU → the slot in whose silent it was put last
	touched  []int          // ranks whose outcome may have changed at this instant
	changed  bool           // a tranche started or ended at this instant
	version  int            // counts the instants with changed
	list     []Placement
}

func newSweep(slots []slot, stays []stay) *sweep {
	s := &sweep{
		stays:    stays,
		members:  make([]member, len(stays)),
		classes:  newClasses(slots),
		crew:     make([]crew, len(slots)),
		lostFrom: map[string]int{},
	}
	for i := range slots {
		s.crew[i] = crew{slot: &slots[i], silent: map[string]bool{}}
	}
	for i := range s.members {
		s.members[i].seat = absent
		s.members[i].class = s.classes.of(stays[i].segs[0].p)
	}
	return s
}

func (s *sweep) touch(rank int) {
	if m := &s.members[rank]; !m.touched {
		m.touched = true
		s.touched = append(s.touched, rank)
	}
}

func (s *sweep) arrive(rank int) {
	gpu := s.stays[rank].gpu
	if i, ok := s.lostFrom[gpu]; ok {
		delete(s.crew[i].silent, gpu)
		delete(s.lostFrom, gpu)
	}
	s.wait(rank)
}

func (s *sweep) leave(rank int) {
	m, st := &s.members[rank], &s.stays[rank]
	if m.seat >= 0 && st.silent {
		s.crew[m.seat].silent[st.gpu] = true
		s.lostFrom[st.gpu] = m.seat
	}
	s.release(rank)
	m.seat = absent
	s.touch(rank)
}

func (s *sweep) changeUnit(rank int) {
	m := &s.members[rank]
	m.seg++
	m.class = s.classes.of(s.stays[rank].segs[m.seg].p)
	if m.seat < 0 || s.fails(m.seat, rank) != hurdleNone {
		s.release(rank)
		s.wait(rank)
	} else {
		c := &s.crew[m.seat]
		c.holders[s.kind(m.seat, rank)].push(-rank) // it may be of the other kind now
	}
	s.touch(rank)
}

func (s *sweep) end(i int) {
	c := &s.crew[i]
	c.running, c.seats, s.changed = false, 0, true
	s.evict(i)
	c.queue = [kinds]ranks{}
}

func (s *sweep) step(i, seats int) {
	c := &s.crew[i]
	c.seats = seats
	if !c.running {
		c.running, s.changed = true, true
		for _, rank := range s.waiting {
			if s.fails(i, rank) == hurdleNone {
				c.queue[s.kind(i, rank)].push(rank)
			}
		}
	}
	s.evict(i)
}

// evict takes the last in the order out of seats that are no longer there:
// accepted models first, then by the GPU order.
func (s *sweep) evict(i int) {
	c := &s.crew[i]
	for k := accepted; k >= bought; k-- {
		for c.placed > c.seats && len(c.holders[k]) > 0 {
			if rank := -c.holders[k].pop(); s.members[rank].seat == i && s.kind(i, rank) == k {
				s.release(rank)
				s.wait(rank)
			}
		}
	}
}

// fill gives free seats to those of a kind who wait for them, in order.
func (s *sweep) fill(i int, k kind) {
	c := &s.crew[i]
	for c.placed < c.seats && len(c.queue[k]) > 0 {
		rank := c.queue[k].pop()
		if s.members[rank].seat != waiting || s.fails(i, rank) != hurdleNone || s.kind(i, rank) != k {
			continue
		}
		s.release(rank)
		s.members[rank].seat = i
		c.placed++
		c.holders[k].push(-rank)
		s.touch(rank)
	}
}

func (s *sweep) fails(i, rank int) hurdle { return s.classes.list[s.members[rank].class].fails[i] }

// kind is that of a stay to a tranche that it matches.
func (s *sweep) kind(i, rank int) kind {
	if s.classes.list[s.members[rank].class].first.Model == s.crew[i].slot.t.Model {
		return bought
	}
	return accepted
}

// release takes a stay out of its seat, or out of those who wait. The caller
// says where it goes.
func (s *sweep) release(rank int) {
	m := &s.members[rank]
	switch {
	case m.seat >= 0:
		s.crew[m.seat].placed--
	case m.seat == waiting:
		last := s.waiting[len(s.waiting)-1]
		s.waiting[m.place] = last
		s.members[last].place = m.place
		s.waiting = s.waiting[:len(s.waiting)-1]
	}
}

// wait lets a stay wait for a seat of every tranche that it matches.
func (s *sweep) wait(rank int) {
	m := &s.members[rank]
	m.seat, m.place = waiting, len(s.waiting)
	s.waiting = append(s.waiting, rank)
	for _, i := range s.classes.list[m.class].matches {
		if s.crew[i].running {
			s.crew[i].queue[s.kind(i, rank)].push(rank)
		}
	}
	s.touch(rank)
}

// count keeps how many of one tranche's missing GPUs are silent or may be late.
func (s *sweep) count(i int, ms int64) {
	c := &s.crew[i]
	missing := c.seats - c.placed
	if missing == 0 && len(c.silent) > 0 {
		clear(c.silent)
	}
	c.silence.set(min(missing, len(c.silent)), ms)
	c.grace.set(min(missing, c.mayBeLate), ms)
}

// standsFor says what a stay counts as from this instant on.
func (s *sweep) standsFor(rank int, ms int64) Placement {
	m, st := &s.members[rank], &s.stays[rank]
	if m.seat == absent {
		return Placement{}
	}
	c := &s.classes.list[m.class]
	out := Placement{Unit: st.segs[m.seg].p.Unit, GPU: st.gpu, Group: c.group, Contract: -1, Tranche: -1}
	if m.seat >= 0 {
		out.Fate, out.Contract, out.Tranche = Placed, s.crew[m.seat].slot.contract, s.crew[m.seat].slot.tranche
		return out
	}
	for _, i := range c.matches {
		if s.crew[i].running {
			out.Fate, out.Contract, out.Tranche = Overage, s.crew[i].slot.contract, s.crew[i].slot.tranche
			return out
		}
	}
	out.Fate, out.Near = Uncontracted, s.near(c, ms)
	return out
}

// near explains why the GPUs of a class are uncontracted.
func (s *sweep) near(c *class, ms int64) string {
	if c.version == s.version {
		return c.near
	}
	best := -1
	for i := range c.fails {
		switch {
		case best < 0, c.fails[i] > c.fails[best],
			c.fails[i] == c.fails[best] && s.crew[i].running && !s.crew[best].running:
			best = i
		}
	}
	c.near, c.version = "", s.version
	if best >= 0 {
		c.near = s.crew[best].slot.explain(c.fails[best], c.first, ms)
	}
	return c.near
}

// write ends what a stay counted as, if that has changed, and begins anew.
func (s *sweep) write(rank int, what Placement, ms int64) {
	m := &s.members[rank]
	if m.what == what {
		return
	}
	if m.what.GPU != "" && m.sinceMs < ms {
		m.what.FromMs, m.what.ToMs = m.sinceMs, ms
		s.list = append(s.list, m.what)
	}
	m.what, m.sinceMs = what, ms
}

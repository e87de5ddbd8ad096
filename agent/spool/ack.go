package spool

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/gpumeter/gpumeter/usage"
)

// Of five parts of what Unacked hands out, one is for the newest batches and
// four for the oldest: reports are current soon after an outage, and the
// backlog still shrinks.
const liveParts = 5

// Unacked calls f with batches that wait to be acknowledged, all of one agent
// and epoch, at most maxBytes of them but at least one if any waits: part
// oldest first, part the newest, in the order of their numbers. What f gets is
// its own. Each call starts anew from what then waits.
func (s *Spool) Unacked(maxBytes int, f func(id usage.ID, body []byte, hash usage.Hash)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	picked := s.pick(int64(maxBytes))
	if len(picked) == 0 {
		return nil
	}
	if s.db == nil {
		return fmt.Errorf("read spool %s: its file is in doubt", s.path)
	}
	for _, e := range picked {
		x, err := s.readBatch(e.pos)
		if err != nil {
			s.distrust(err)
			return fmt.Errorf("read spool %s: %w", s.path, err)
		}
		f(x.id, x.body, x.hash)
	}
	return nil
}

// readBatch reads and proves one stored batch. The body is a copy.
func (s *Spool) readBatch(pos uint64) (x stored, err error) {
	err = guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			x, err = parseStored(bytes.Clone(tx.Bucket(bucketBatches).Get(key(pos))))
			return err
		})
	})
	return x, err
}

// pick chooses what Unacked hands out. Streams take turns as old and new
// batches do: a spool that came from another epoch has more than one.
func (s *Spool) pick(maxBytes int64) []*entry {
	var waiting []*entry
	for i := range s.index.entries {
		if e := &s.index.entries[i]; e.waiting() {
			waiting = append(waiting, e)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	st := waiting[0].stream
	if s.turn++; s.turn%liveParts == 0 {
		st = waiting[len(waiting)-1].stream
	}
	one := waiting[:0]
	for _, e := range waiting {
		if e.stream == st {
			one = append(one, e)
		}
	}
	return mix(one, maxBytes)
}

// mix takes from both ends of es what fits into maxBytes, at least the newest.
func mix(es []*entry, maxBytes int64) []*entry {
	live := len(es) - 1
	left := maxBytes - es[live].size
	for liveLeft := maxBytes/liveParts - es[live].size; live > 0 && es[live-1].size <= liveLeft; live-- {
		liveLeft -= es[live-1].size
		left -= es[live-1].size
	}
	old := 0
	for old < live && es[old].size <= left {
		left -= es[old].size
		old++
	}
	return append(es[:old:old], es[live:]...)
}

// Ack takes a collector's answer: the id of its store, all numbers that it has
// by "agent/epoch", and the batches that it would not count because it has
// others under their identity. Repetition changes nothing.
//
// What is not in a stream's numbers any more is sent again, and so is
// everything kept if the store is another one. Numbers that this spool has not
// reached, or conflicts, mean that it is an old copy of itself: it goes on in a
// new epoch, and batches in conflict are stored anew under it.
//
// After an error the answer holds until the spool is closed.
func (s *Spool) Ack(storeID string, committed map[string]usage.Ranges, conflicts []usage.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("acknowledge in spool %s: it is closed", s.path)
	}
	defer s.publish()
	if s.overtaken(committed, conflicts) {
		s.adopt(s.id.newEpoch(OriginOvertaken))
	}
	reissued, err := s.reissue(conflicts)
	marks := s.answer(storeID, committed, reissued)
	if len(marks) == 0 && storeID == s.id.Store {
		return err
	}
	s.id.Store = storeID
	id := s.id
	if s.db == nil {
		return fmt.Errorf("acknowledge in spool %s: its file is in doubt", s.path)
	}
	if err := s.write(change{id: &id, marks: marks}); err != nil {
		return fmt.Errorf("acknowledge in spool %s: %w", s.path, err)
	}
	return err
}

// overtaken reports whether numbers of the present epoch were used by another
// copy of this spool.
func (s *Spool) overtaken(committed map[string]usage.Ranges, conflicts []usage.ID) bool {
	for _, id := range conflicts {
		if id.Agent == s.id.Agent && id.Epoch == s.id.Epoch {
			return true
		}
	}
	r := committed[s.id.stream().String()]
	return len(r) > 0 && r[len(r)-1].Hi > s.id.Seq
}

// answer changes the marks in the index after a collector's answer, and
// returns those that changed. reissued has the batches in conflict: one that
// was stored anew counts as acknowledged, one that could not be goes on waiting.
func (s *Spool) answer(storeID string, committed map[string]usage.Ranges, reissued map[uint64]bool) map[uint64]mark {
	another := s.id.Store != "" && storeID != s.id.Store
	now := mark{AtMs: s.o.Now().UnixMilli()}
	told := map[*stream]usage.Ranges{}
	for st, p := range s.index.streams {
		if r, ok := committed[st.String()]; ok {
			told[p] = r
		}
	}
	changed := map[uint64]mark{}
	for i := range s.index.entries {
		e := &s.index.entries[i]
		r, isTold := told[e.stream]
		m := e.mark
		done, inConflict := reissued[e.pos]
		switch has := r.Has(e.seq); {
		case inConflict && !done:
		case inConflict:
			m = now
		case has && (e.waiting() || another):
			m = now
		case !has && (another || isTold && !e.mark.Aside):
			m = mark{}
		}
		if m != e.mark {
			e.mark, changed[e.pos] = m, m
		}
	}
	return changed
}

// reissue stores batches that are in conflict once more, under the present
// epoch. It returns their old positions, and whether it was done.
func (s *Spool) reissue(conflicts []usage.ID) (map[uint64]bool, error) {
	reissued := map[uint64]bool{}
	var first error
	for _, id := range conflicts {
		e := s.index.find(id)
		if e == nil || !e.waiting() {
			continue
		}
		pos := e.pos
		err := s.storeAnew(pos)
		reissued[pos] = err == nil
		if err != nil && first == nil {
			first = fmt.Errorf("store batch %s anew: %w", id, err)
		}
	}
	return reissued, first
}

func (s *Spool) storeAnew(pos uint64) error {
	if s.db == nil {
		return errors.New("the spool's file is in doubt")
	}
	x, err := s.readBatch(pos)
	if err != nil {
		return err
	}
	old, err := usage.Open(x.body)
	if err != nil {
		return err
	}
	_, _, err = s.store(old.Batch, s.o.Now())
	return err
}

// SetAside marks a batch that the collector refuses: it is kept, as long as
// there is room, but not sent again unless to another store. Repetition
// changes nothing; a batch that is not stored is ignored.
func (s *Spool) SetAside(id usage.ID, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.index.find(id)
	if s.closed || e == nil || e.mark.Aside {
		return nil
	}
	defer s.publish()
	s.o.Log.Error("collector refuses a batch; it is set aside", "batch", id.String(), "reason", reason)
	e.mark = mark{AtMs: s.o.Now().UnixMilli(), Aside: true}
	if s.db == nil {
		return fmt.Errorf("set batch %s aside: the spool's file is in doubt", id)
	}
	if err := s.write(change{marks: map[uint64]mark{e.pos: e.mark}}); err != nil {
		return fmt.Errorf("set batch %s aside: %w", id, err)
	}
	return nil
}

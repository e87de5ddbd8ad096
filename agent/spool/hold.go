package spool

import (
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// lossReserve is room for the events that tell of a loss, one or two of which
// may have to go into a batch that was already measured.
const lossReserve = 1024

// heldDetail is the Detail of the event that tells what memory gave up.
const heldDetail = "the spool could not be written"

// held is a batch that waits in memory for the disk. It has no number yet.
type held struct {
	batch usage.Batch
	at    time.Time
}

// hold queues a batch, and gives up what waited too long.
func (s *Spool) hold(b usage.Batch, now time.Time) {
	s.held = append(s.held, held{b, now})
	for now.Sub(s.held[0].at) > s.o.Hold {
		n := int64(len(s.held[0].batch.Records))
		s.held[0] = held{}
		s.held = s.held[1:]
		s.lose(n, heldDetail)
	}
}

// lose counts records that were given up, and has the next batch tell it.
// Losses with the same detail are told together.
func (s *Spool) lose(records int64, detail string) {
	s.count.dropped += uint64(records)
	for i := range s.lost {
		if s.lost[i].Detail == detail {
			s.lost[i].Value += records
			return
		}
	}
	s.lost = append(s.lost, usage.Event{
		AtMs: s.o.Now().UnixMilli(), Kind: usage.EventDropped, Value: records, Detail: detail,
	})
}

// drain writes what is held, oldest first, as far as the disk goes along; a file
// in doubt is written anew first, once. It returns the last batch if that became
// durable, and an empty Sealed if not.
func (s *Spool) drain(now time.Time) (last usage.Sealed) {
	if s.db == nil {
		if err := s.reopen(); err != nil {
			s.stumble(err)
			return usage.Sealed{}
		}
	}
	for len(s.held) > 0 && s.db != nil {
		b := s.held[0].batch
		sealed, refused, err := s.store(b, now)
		switch {
		case refused:
			s.o.Log.Error("batch cannot be stored and is given up", "records", len(b.Records), "err", err)
			s.lose(int64(len(b.Records)), "batch cannot be stored: "+err.Error())
		case err != nil:
			s.stumble(err)
			return usage.Sealed{}
		}
		s.held[0] = held{}
		s.held = s.held[1:]
		last = sealed
	}
	if s.db != nil {
		s.recovered()
	}
	return last
}

// store numbers a batch and makes it durable. A batch is refused if no disk
// could ever take it.
func (s *Spool) store(b usage.Batch, now time.Time) (sealed usage.Sealed, refused bool, err error) {
	b.Agent, b.Epoch, b.Seq, b.Prev = s.id.Agent, s.id.Epoch, s.id.Seq+1, s.id.Prev
	b.Events = append(b.Events[:len(b.Events):len(b.Events)], s.lost...)
	if sealed, err = usage.Seal(b); err != nil {
		return usage.Sealed{}, true, err
	}
	need := storedFrom(sealed).size() + lossReserve
	if need > s.o.MaxBytes {
		return usage.Sealed{}, true, fmt.Errorf("batch of %d bytes is larger than the spool", need)
	}
	drop, losses := s.index.room(need, s.o.MaxBytes, now.Add(-s.o.Keep).UnixMilli())
	if len(losses) > 0 {
		for _, l := range losses {
			b.Events = append(b.Events, l.event(now.UnixMilli()))
		}
		if sealed, err = usage.Seal(b); err != nil {
			return usage.Sealed{}, true, err
		}
	}
	x, id, pos := storedFrom(sealed), s.id.after(sealed), s.index.next()
	s.attempt = id.Prev
	if err := s.write(change{id: &id, put: &x, pos: pos, drop: drop, state: s.state}); err != nil {
		return usage.Sealed{}, false, err
	}
	for _, l := range losses {
		s.count.dropped += uint64(l.records)
		s.o.Log.Warn("spool is full: unsent batches are given up", "from", l.lo, "to", l.hi, "records", l.records)
	}
	s.id, s.lost = id, nil
	s.index.drop(drop)
	s.index.add(entry{pos: pos, stream: s.index.intern(id.stream()), seq: id.Seq, size: x.size(), records: x.records})
	return sealed, false, nil
}

// prune lets go of what was kept long enough.
func (s *Spool) prune(now time.Time) error {
	drop, losses := s.index.room(0, s.o.MaxBytes, now.Add(-s.o.Keep).UnixMilli())
	if len(drop) == 0 || s.db == nil {
		return nil
	}
	if err := s.write(change{drop: drop}); err != nil {
		return fmt.Errorf("prune spool %s: %w", s.path, err)
	}
	s.index.drop(drop)
	for _, l := range losses {
		s.count.dropped += uint64(l.records)
		s.lost = append(s.lost, l.event(now.UnixMilli()))
	}
	return nil
}

// stumble notes that the disk does not take what is held.
func (s *Spool) stumble(err error) {
	if s.count.lastErr == nil {
		s.o.Log.Error("spool cannot be written; batches wait in memory", "path", s.path, "err", err)
	}
	s.count.lastErr = err
}

func (s *Spool) recovered() {
	if s.count.lastErr != nil {
		s.o.Log.Info("spool is written again", "path", s.path)
		s.count.lastErr = nil
	}
}

package spool

import "time"

// Stats is the state of a spool at one moment.
type Stats struct {
	Agent, Epoch string
	// Seq is the last sequence number used in Epoch.
	Seq uint64
	// Origin says why Epoch began; OriginContinued unless it began since Open.
	Origin Origin
	// Batches and Bytes count what is stored, Pending what of it waits to be
	// acknowledged, Aside what a collector refused.
	Batches, PendingBatches, AsideBatches int
	Bytes, PendingBytes                   int64
	// Held counts the batches that wait in memory for the disk.
	Held int
	// DroppedRecords counts the records that were given up.
	DroppedRecords uint64
	// Failures counts writes that failed. LastError is the newest, while
	// batches are held.
	Failures  uint64
	LastError string
	// StoreID is the collector's store that acknowledged last.
	StoreID string
	// At is when this was true.
	At time.Time
}

// Stats returns the state of the spool after the last operation. It never
// waits.
func (s *Spool) Stats() Stats { return *s.stats.Load() }

// publish makes the state visible to Stats. The caller holds mu.
func (s *Spool) publish() {
	st := Stats{
		Agent: s.id.Agent, Epoch: s.id.Epoch, Seq: s.id.Seq, Origin: s.count.origin,
		Batches: len(s.index.entries), Bytes: s.index.bytes,
		Held: len(s.held), DroppedRecords: s.count.dropped, Failures: s.count.failures,
		StoreID: s.id.Store, At: s.o.Now(),
	}
	for i := range s.index.entries {
		switch e := &s.index.entries[i]; {
		case e.waiting():
			st.PendingBatches++
			st.PendingBytes += e.size
		case e.mark.Aside:
			st.AsideBatches++
		}
	}
	if len(s.held) > 0 && s.count.lastErr != nil {
		st.LastError = s.count.lastErr.Error()
	}
	s.stats.Store(&st)
}

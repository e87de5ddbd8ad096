package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// post is what one request brought, until it is committed.
type post struct {
	good []usage.Sealed
	bad  []refused
	lane lane
	// done gets the outcome; it has room for it, so that a requester who went
	// away does not hold up the group.
	done chan outcome
}

// rows measures what a post costs to commit.
func (p *post) rows() int {
	n := len(p.good) + len(p.bad)
	for i := range p.good {
		n += len(p.good[i].Batch.Records)
	}
	return n
}

// refused is a batch that cannot be accepted, with the reason.
type refused struct {
	sealed usage.Sealed
	reason string
}

type outcome struct {
	answer Answer
	err    error
}

// errStopped is why a post that waits is not committed at shutdown.
var errStopped = errors.New("the collector is stopping")

// Run commits what posts bring until ctx ends, and then returns nil. A commit
// that has begun is finished. It is called once.
func (c *Collector) Run(ctx context.Context) error {
	defer close(c.stopped)
	var counting sync.WaitGroup
	counting.Go(func() { c.tally.run(ctx) })
	counting.Go(func() { c.keeper.run(ctx) })
	counting.Go(func() { c.outlook.run(ctx) })
	counting.Go(func() { c.verifier.run(ctx) })
	counting.Go(func() { c.rollUp(ctx) })
	counting.Go(func() { c.backUp(ctx) })
	counting.Go(func() { c.tidy(ctx) })
	defer counting.Wait()
	for {
		group := c.queue.gather(ctx, c.cfg.Linger)
		if len(group) == 0 {
			return nil
		}
		c.queue.begin(group, c.cfg.Now())
		c.commit(ctx, group)
		c.queue.end(c.cfg.Now())
	}
}

// commit makes a group durable and answers each of its posts.
func (c *Collector) commit(ctx context.Context, group []*post) {
	// A commit that has begun does not end with the process's ctx: its
	// outcome would be unknown.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	statuses, err := c.append(ctx, group)
	if err == nil {
		c.answerAll(ctx, group, statuses)
		return
	}
	if len(group) == 1 {
		group[0].done <- outcome{err: err}
		return
	}
	c.cfg.Log.Warn("group commit refused, trying its posts alone", "posts", len(group), "err", err)
	c.commitApart(ctx, group)
}

// commitApart commits the posts of a refused group one by one, so that one
// that the store can never take does not hold up the others. Where nothing
// works, the store is at fault, and it gives up.
func (c *Collector) commitApart(ctx context.Context, group []*post) {
	const patience = 3
	failures := 0
	var last error
	for _, p := range group {
		if failures >= patience {
			p.done <- outcome{err: last}
			continue
		}
		statuses, err := c.append(ctx, []*post{p})
		if err != nil {
			failures, last = failures+1, err
			p.done <- outcome{err: err}
			continue
		}
		failures = 0
		c.answerAll(ctx, []*post{p}, statuses)
	}
}

// append makes the good batches of a group durable, in one transaction.
func (c *Collector) append(ctx context.Context, group []*post) ([]store.Status, error) {
	var batches []usage.Sealed
	for _, p := range group {
		batches = append(batches, p.good...)
	}
	if len(batches) == 0 {
		return nil, nil
	}
	start := c.cfg.Now()
	statuses, err := c.cfg.Store.Append(ctx, batches)
	c.metrics.commitSeconds.Observe(c.cfg.Now().Sub(start).Seconds())
	if err == nil && len(statuses) != len(batches) {
		err = fmt.Errorf("%d outcomes for %d batches", len(statuses), len(batches))
	}
	if err != nil {
		c.metrics.commitErrors.Inc()
		return nil, fmt.Errorf("commit %d batches: %w", len(batches), err)
	}
	return statuses, nil
}

// answerAll deals the outcomes of one commit out to its posts.
func (c *Collector) answerAll(ctx context.Context, group []*post, statuses []store.Status) {
	seqs := map[stream]usage.Ranges{}
	for _, p := range group {
		n := len(p.good)
		answer, err := c.answer(ctx, p, statuses[:n], seqs)
		statuses = statuses[n:]
		p.done <- outcome{answer, err}
	}
}

// stream is one agent's epoch: within it, sequence numbers are unique.
type stream struct{ agent, epoch string }

// answer quarantines the bad batches of a post and says what became of all.
func (c *Collector) answer(ctx context.Context, p *post, statuses []store.Status, seqs map[stream]usage.Ranges) (Answer, error) {
	a := Answer{StoreID: c.cfg.Store.ID(), Committed: map[string]usage.Ranges{}, Conflicts: []uint64{}, Quarantined: []Quarantined{}}
	for i, s := range statuses {
		b := &p.good[i].Batch
		c.metrics.count(s, b)
		switch s {
		case store.Committed:
			c.keeper.note(b)
		case store.Duplicate:
			a.Duplicates++
		case store.Conflict:
			a.Conflicts = append(a.Conflicts, b.Seq)
			c.cfg.Log.Warn("batch in conflict with a committed one kept aside", "batch", b.ID().String(), "node", b.Node.Name)
		}
	}
	for _, r := range p.bad {
		id := r.sealed.Batch.ID()
		if err := c.cfg.Store.Quarantine(ctx, id, r.sealed, r.reason); err != nil {
			return Answer{}, fmt.Errorf("quarantine batch %s: %w", id, err)
		}
		delete(seqs, stream{id.Agent, id.Epoch}) // asked before, perhaps, for a post of the same group
		c.metrics.quarantined.Inc()
		c.cfg.Log.Warn("batch quarantined", "batch", id.String(), "reason", r.reason)
		a.Quarantined = append(a.Quarantined, Quarantined{id.Agent, id.Epoch, id.Seq, r.reason})
	}
	if err := c.fillCommitted(ctx, p, &a, seqs); err != nil {
		return Answer{}, err
	}
	a.ServerTimeMs = c.cfg.Now().UnixMilli()
	return a, nil
}

// fillCommitted tells the sender all that is committed of its epochs.
func (c *Collector) fillCommitted(ctx context.Context, p *post, a *Answer, seqs map[stream]usage.Ranges) error {
	for _, s := range p.streams() {
		if _, ok := seqs[s]; !ok {
			ranges, err := c.cfg.Store.Seqs(ctx, s.agent, s.epoch)
			if err != nil {
				return fmt.Errorf("read committed sequence numbers: %w", err)
			}
			// The store may change its ranges with the next commit, the answer
			// is written later.
			seqs[s] = append(usage.Ranges{}, ranges...)
		}
		a.Committed[s.agent+"/"+s.epoch] = seqs[s]
	}
	return nil
}

// streams are the epochs that a post has batches of.
func (p *post) streams() []stream {
	var out []stream
	seen := map[stream]bool{}
	add := func(b *usage.Batch) {
		if s := (stream{b.Agent, b.Epoch}); !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for i := range p.good {
		add(&p.good[i].Batch)
	}
	for i := range p.bad {
		add(&p.bad[i].sealed.Batch)
	}
	return out
}

package collector

import (
	"context"
	"math"
	"sync"
	"time"
)

// lane is one of the two queues that posts wait in. What agents closed just
// now goes before what they kept during an outage, so that reports are current
// soon after it.
type lane int

const (
	liveLane lane = iota
	backlogLane
	lanes
)

// String is the lane as a label value.
func (l lane) String() string { return [...]string{"live", "backlog"}[l] }

// liveAge is how long ago the records of a live post ended at most: the
// longest window is five minutes, and agents spread their posts over the next.
const liveAge = 10 * time.Minute

// maxPosts is how many posts may wait in a lane or be read for it. 1,000,000
// GPUs are 2,000 live posts a second; backlog comes in posts of many batches.
var maxPosts = [lanes]int{liveLane: 8192, backlogLane: 1024}

// backlogShare is what part of a commit is the backlog's, however much is live.
const backlogShare = 4

// Limits of one commit, in rows: each batch is one, and each of its records.
const (
	minGroup   = 2048
	maxGroup   = 32768
	commitGoal = 500 * time.Millisecond // what a commit should take
)

// maxWait is the longest time that a sender is asked to wait. A store that was
// slow for a moment must not keep agents away for long after it.
const maxWait = time.Minute

// queue holds the posts that wait for a commit, and knows how long the next
// one would have to wait.
type queue struct {
	ready chan struct{} // holds something whenever a post waits

	mu      sync.Mutex // guards what follows
	waiting [lanes][]*post
	places  [lanes]int // posts that wait or are being read
	rows    [lanes]int // of the posts that wait
	usual   [lanes]float64
	booked  [lanes]time.Time // up to when there is work for the posts that were refused
	pace    pace
	group   int       // rows that are being committed
	began   time.Time // since when
}

func newQueue() *queue {
	return &queue{ready: make(chan struct{}, 1), usual: [lanes]float64{liveLane: 9, backlogLane: 512}, pace: newPace()}
}

// enter gives a post that is being read a place, if there is one. It ends with
// put or leave.
func (q *queue) enter(l lane) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.places[l] >= maxPosts[l] {
		return false
	}
	q.places[l]++
	return true
}

// leave gives up a place that enter gave.
func (q *queue) leave(l lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.places[l]--
}

// put lets a post wait in the place that enter gave it.
func (q *queue) put(p *post) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting[p.lane] = append(q.waiting[p.lane], p)
	q.rows[p.lane] += p.rows()
	q.usual[p.lane] += (float64(p.rows()) - q.usual[p.lane]) / 16
	q.wake()
}

// wake is called with the lock held.
func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// gather waits for a post, gives others linger to join it unless enough are
// there, and returns those that share one commit; none when ctx has ended.
func (q *queue) gather(ctx context.Context, linger time.Duration) []*post {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-q.ready:
		}
		q.linger(ctx, linger)
		// A post that joined one which lingered was taken with it, and has left
		// its wake behind: then there is nothing.
		if group := q.take(); len(group) > 0 {
			return group
		}
	}
}

// linger waits for others to join what waits, unless enough is there.
func (q *queue) linger(ctx context.Context, d time.Duration) {
	if q.full() {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.rows[liveLane]+q.rows[backlogLane] >= q.pace.group()
}

// take returns the posts of the next commit: the backlog's share, then what is
// live, then backlog again if nothing live is left. Of each lane comes at least
// one, however large.
func (q *queue) take() []*post {
	q.mu.Lock()
	defer q.mu.Unlock()
	var group []*post
	limit, n := q.pace.group(), 0
	pull := func(l lane, limit int, first bool) {
		for ; len(q.waiting[l]) > 0; first = false {
			p := q.waiting[l][0]
			if !first && n+p.rows() > limit {
				return
			}
			q.waiting[l][0] = nil
			q.waiting[l] = q.waiting[l][1:]
			q.places[l]--
			q.rows[l] -= p.rows()
			n += p.rows()
			group = append(group, p)
		}
	}
	pull(backlogLane, limit/backlogShare, true)
	pull(liveLane, limit, true)
	if len(q.waiting[liveLane]) == 0 {
		pull(backlogLane, limit, false)
	}
	if len(q.waiting[liveLane])+len(q.waiting[backlogLane]) > 0 {
		q.wake()
	}
	return group
}

// begin tells that a commit of a group has begun.
func (q *queue) begin(group []*post, now time.Time) {
	n := 0
	for _, p := range group {
		n += p.rows()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.group, q.began = n, now
}

// end tells that the commit that had begun is over.
func (q *queue) end(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pace.note(q.group, now.Sub(q.began))
	q.group = 0
}

// turn says how long the sender of a post that finds no place should wait:
// until what waits is committed, and what others were asked to bring before
// it. So those who are refused together come back one after the other.
func (q *queue) turn(l lane, now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	ahead := q.rows[liveLane]
	if l == backlogLane {
		ahead += q.rows[backlogLane]
	}
	pace, rest := q.paceNow(now)
	free := now.Add(rest + pace.take(float64(ahead)))
	at := free
	// When all turns up to the longest wait are given, it begins again.
	if b := q.booked[l]; b.After(free) && b.Sub(now) <= maxWait {
		at = b
	}
	q.booked[l] = at.Add(pace.take(q.usual[l]))
	return min(at.Sub(now), maxWait)
}

// paceNow is the pace in view of the commit that is under way, and how long
// that one will still take. One that takes longer than it should is believed
// before it is over: a store that stalls is seen to. It is called with the lock
// held.
func (q *queue) paceNow(now time.Time) (p pace, rest time.Duration) {
	p = q.pace
	if q.group == 0 {
		return p, 0
	}
	took := now.Sub(q.began)
	if took > p.take(float64(q.group)) {
		p.note(q.group, took)
	}
	return p, max(0, p.take(float64(q.group))-took)
}

// lengths are how many posts wait in each lane.
func (q *queue) lengths() (n [lanes]int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := range lanes {
		n[l] = len(q.waiting[l])
	}
	return n
}

// pace is how many rows the store takes in how many seconds, lately.
type pace struct{ rows, seconds float64 }

const (
	firstPace = 20_000.0 // rows a second, until the store has shown its own
	paceRows  = 65_536.0 // after so many rows, what was before counts for a third
	paceTime  = 10.0     // seconds of commits, after which the same
)

// newPace counts for a millisecond: the first commit that counts outweighs it.
func newPace() pace { return pace{firstPace / 1000, 1.0 / 1000} }

// note counts a commit. A small one that was not slow says little of what the
// store can do, and is left out.
func (p *pace) note(rows int, took time.Duration) {
	if rows < minGroup/2 && took < time.Second {
		return
	}
	keep := math.Exp(-max(float64(rows)/paceRows, took.Seconds()/paceTime))
	p.rows = p.rows*keep + float64(rows)
	p.seconds = p.seconds*keep + took.Seconds()
}

// take is how long the store takes for rows.
func (p *pace) take(rows float64) time.Duration {
	return time.Duration(min(rows*p.seconds/max(p.rows, 1), maxWait.Seconds()) * float64(time.Second))
}

// group is how many rows a commit should have.
func (p *pace) group() int {
	if p.seconds == 0 {
		return maxGroup
	}
	return int(min(max(p.rows/p.seconds*commitGoal.Seconds(), minGroup), maxGroup))
}

package collector

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// waiting makes a post of so many rows.
func waiting(l lane, rows int) *post {
	return &post{lane: l, good: []usage.Sealed{{Batch: usage.Batch{Records: make([]usage.Record, rows-1)}}}}
}

func (q *queue) mustPut(t *testing.T, posts ...*post) {
	t.Helper()
	for _, p := range posts {
		if !q.enter(p.lane) {
			t.Fatal("no place in the queue")
		}
		q.put(p)
	}
}

// TestTakeServesBothLanes holds, for lanes at random: posts keep the order of
// their lane; nothing live waits while more than the backlog's share goes
// first; of each lane that has any comes at least one; and all of it comes.
func TestTakeServesBothLanes(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		q := newQueue()
		var want [lanes][]*post
		for range dice.IntN(60) {
			p := waiting(lane(dice.IntN(int(lanes))), 1+dice.IntN(3*minGroup))
			want[p.lane] = append(want[p.lane], p)
			q.mustPut(t, p)
		}
		for len(want[liveLane])+len(want[backlogLane]) > 0 {
			limit := q.pace.group()
			var n, first [lanes]int // rows by lane, and of the first post
			for _, p := range q.take() {
				l := p.lane
				if len(want[l]) == 0 || want[l][0] != p {
					t.Fatal("a post is out of its order, or comes twice")
				}
				if want[l] = want[l][1:]; n[l] == 0 {
					first[l] = p.rows()
				}
				n[l] += p.rows()
			}
			for l := range lanes {
				if n[l] == 0 && len(want[l]) > 0 {
					t.Fatalf("nothing of the lane %s although it has %d posts", l, len(want[l]))
				}
			}
			share := max(limit/backlogShare, first[backlogLane])
			if len(want[liveLane]) > 0 && n[backlogLane] > share {
				t.Fatalf("%d rows of backlog in a commit of %d while live posts wait", n[backlogLane], limit)
			}
			if all := n[liveLane] + n[backlogLane]; all > limit+first[liveLane]+first[backlogLane] {
				t.Fatalf("%d rows in a commit of %d", all, limit)
			}
		}
		if q.places != [lanes]int{} || q.rows != [lanes]int{} {
			t.Fatalf("%v places, %v rows are left of an empty queue", q.places, q.rows)
		}
	}
}

// TestGatherWaitsThroughAWakeForNothing lets a post join one that lingers: it is
// taken with it, and its own wake finds nothing.
func TestGatherWaitsThroughAWakeForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		ctx, cancel := context.WithCancel(t.Context())
		groups := make(chan int)
		go func() {
			defer close(groups)
			for {
				n := len(q.gather(ctx, time.Second))
				if n == 0 {
					return
				}
				groups <- n
			}
		}()
		for range 3 {
			q.mustPut(t, waiting(liveLane, 9))
			synctest.Wait() // it lingers
			q.mustPut(t, waiting(liveLane, 9))
			if n := <-groups; n != 2 {
				t.Fatalf("%d posts in a commit, want 2", n)
			}
			time.Sleep(time.Minute)
		}
		cancel()
		if n, open := <-groups; open {
			t.Errorf("%d posts after the end", n)
		}
	})
}

// TestTurnFollowsQueueAndPace refuses posts in front of a queue whose commits
// take 2048 rows a second.
func TestTurnFollowsQueueAndPace(t *testing.T) {
	q, now := newQueue(), time.Unix(1e9, 0)
	for range 100 { // until what it began with is forgotten
		q.begin([]*post{waiting(liveLane, 2048)}, now)
		q.end(now.Add(time.Second))
	}
	for range 80 {
		q.mustPut(t, waiting(liveLane, 1024))
	}
	q.mustPut(t, waiting(backlogLane, 2048))
	near := func(what string, got time.Duration, want float64) {
		t.Helper()
		if d := got.Seconds() - want; d < -0.01 || d > 0.01 {
			t.Errorf("%s: asked to wait %s, want %.3f s", what, got, want)
		}
	}
	near("live", q.turn(liveLane, now), 40)
	usual := q.usual[liveLane] / 2048
	near("live after another", q.turn(liveLane, now), 40+usual)
	near("live after two others", q.turn(liveLane, now), 40+2*usual)
	near("backlog waits for what is live, too", q.turn(backlogLane, now), 41)
	near("live, later", q.turn(liveLane, now.Add(time.Second)), 40-1+3*usual)
}

// TestTurnSeesAStoreThatStalls asks while a commit that should take a second
// takes a minute.
func TestTurnSeesAStoreThatStalls(t *testing.T) {
	q, now := newQueue(), time.Unix(1e9, 0)
	q.begin([]*post{waiting(liveLane, 2048)}, now)
	q.end(now.Add(time.Second))
	q.mustPut(t, waiting(liveLane, 2048))
	q.begin([]*post{waiting(liveLane, 2048)}, now)
	ask := func(after time.Duration) time.Duration {
		q.booked = [lanes]time.Time{}
		return q.turn(liveLane, now.Add(after)).Round(100 * time.Millisecond)
	}
	if got := ask(0); got != 2*time.Second {
		t.Errorf("at its beginning: %s, want the rest of it and what waits: 2s", got)
	}
	if got := ask(500 * time.Millisecond); got != 1500*time.Millisecond {
		t.Errorf("in its midst: %s, want 1.5s", got)
	}
	if got := ask(time.Minute); got < 20*time.Second {
		t.Errorf("after a minute: %s, as if it had not taken one", got)
	}
}

// TestTurnsBeginAgainBeyondTheLongestWait refuses many more than can come in
// that time.
func TestTurnsBeginAgainBeyondTheLongestWait(t *testing.T) {
	q, now := newQueue(), time.Unix(1e9, 0)
	q.usual[backlogLane] = 10 * firstPace // each takes ten seconds
	const period = int(maxWait/(10*time.Second)) + 1
	var seen [2 * period]time.Duration
	for i := range seen {
		seen[i] = q.turn(backlogLane, now)
	}
	for i, d := range seen {
		if want := time.Duration(i%period) * 10 * time.Second; (d - want).Abs() > time.Millisecond {
			t.Errorf("turn %d: %s, want %s", i, d, want)
		}
	}
}

// TestPaceBelievesLargeAndSlowCommits holds that a trickle of small ones, which
// wait for each other more than for the store, does not make it look slow.
func TestPaceBelievesLargeAndSlowCommits(t *testing.T) {
	p := newPace()
	for range 1000 {
		p.note(8, 5*time.Millisecond)
	}
	if p != newPace() {
		t.Errorf("after small commits the pace is %+v", p)
	}
	for range 20 {
		p.note(30_000, 300*time.Millisecond)
	}
	if got := p.rows / p.seconds; got < 99_000 || got > 101_000 {
		t.Errorf("pace is %.0f rows a second, want 100,000", got)
	}
	if p.group() != maxGroup {
		t.Errorf("a commit has %d rows, want %d", p.group(), maxGroup)
	}
	p.note(8, 30*time.Second) // the store stalls
	if got := p.rows / p.seconds; got > 3500 {
		t.Errorf("pace is %.0f rows a second after a stall", got)
	}
	if p.group() != minGroup {
		t.Errorf("a commit has %d rows after a stall, want %d", p.group(), minGroup)
	}
	for range 200 {
		p.note(minGroup, minGroup*time.Second/100_000)
	}
	if got := p.rows / p.seconds; got < 50_000 {
		t.Errorf("pace is %.0f rows a second: it does not recover from a stall", got)
	}
}

func TestAllowanceIsABurstAndARate(t *testing.T) {
	a, now := allowances{used: map[string]spent{}}, time.Unix(1e9, 0)
	send := func(agent string, n int64) { a.count(map[string]int64{agent: n}, now) }
	send("x", agentBurst+agentRate*3)
	send("y", agentBurst)
	if got := a.wait("x", now); got != 3*time.Second {
		t.Errorf("x waits %s, want 3s", got)
	}
	if got := a.wait("x", now.Add(3*time.Second)); got > 0 {
		t.Errorf("x waits %s after it waited", got)
	}
	if got := max(a.wait("y", now), a.wait("z", now)); got > 0 {
		t.Errorf("who is within the burst waits %s", got)
	}
	for range agentBurst/leastPost + 1 {
		send("z", 1)
	}
	if a.wait("z", now) <= 0 {
		t.Error("small posts cost nothing")
	}
	now = now.Add(time.Minute)
	send("w", 1)
	if len(a.used) != 1 {
		t.Errorf("%d agents are remembered who have paused", len(a.used)-1)
	}
}

func TestLargePostsLeaveRoomForSmallOnes(t *testing.T) {
	b := budget{limit: 1000}
	if !b.take(750, true) || b.take(1, true) {
		t.Error("large posts may use three quarters, no less and no more")
	}
	if !b.take(250, false) || b.take(1, false) {
		t.Error("small posts may use the rest, no less and no more")
	}
}

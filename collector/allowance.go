package collector

import (
	"sync"
	"time"
)

// What one agent may send. One with eight GPUs closes 3 kB a minute, and sends
// again what it kept for three days in a few seconds.
const (
	agentRate  = 2 << 20  // bytes a second, for as long as it likes
	agentBurst = 8 << 20  // bytes at once
	leastPost  = 16 << 10 // bytes that a post counts for at least
)

// allowances hold each agent to its rate, so that one that has gone wild does
// not crowd out the others.
type allowances struct {
	mu    sync.Mutex       // guards what follows
	used  map[string]spent // by agent; one that has sent nothing lately is not in it
	swept time.Time
}

// spent is what an agent has used of its burst at a time, in bytes. It shrinks
// at agentRate.
type spent struct {
	bytes int64
	at    time.Time
}

// left is what is still used at a later time.
func (s spent) left(now time.Time) int64 {
	return max(0, s.bytes-int64(now.Sub(s.at).Seconds()*agentRate))
}

// wait is how long an agent has to wait before it may post again; zero or
// less is not at all.
func (a *allowances) wait(agent string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	over := a.used[agent].left(now) - agentBurst
	return time.Duration(float64(over) / agentRate * float64(time.Second))
}

// count adds what a post brought of each agent. A post may go beyond the
// burst; its agent waits the longer then.
func (a *allowances) count(sent map[string]int64, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(now)
	for agent, n := range sent {
		a.used[agent] = spent{a.used[agent].left(now) + max(n, leastPost), now}
	}
}

// sweep forgets who has used up nothing: after burst ÷ rate everybody who paused.
func (a *allowances) sweep(now time.Time) {
	if now.Sub(a.swept) < agentBurst/agentRate*time.Second {
		return
	}
	a.swept = now
	for agent, s := range a.used {
		if s.left(now) == 0 {
			delete(a.used, agent)
		}
	}
}

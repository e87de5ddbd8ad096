package collector

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// tallyReturn is how long the tally waits after an outage of all collectors. It
// never takes back what it counted: agents that could send to nobody try again
// within five minutes, and what they kept is not unobserved.
const tallyReturn = 7 * time.Minute

// waits reports whether a moment is too early to count, after an outage. The
// first call finds out whether there was one.
func (t *tally) waits(ctx context.Context, now time.Time) (bool, error) {
	if t.began.IsZero() {
		lives, err := t.store.Lives(ctx)
		if err != nil {
			return false, fmt.Errorf("read signs of life: %w", err)
		}
		t.began = now
		if returned(lives, now) {
			t.until = now.Add(tallyReturn)
			t.log.Info("contract counters wait for what agents kept while no collector ran", "until", t.until.UTC())
		}
	}
	return now.Before(t.until), nil
}

// returned reports whether no collector ran for longer than the tally stays
// behind, up to a moment ago.
func returned(lives []contract.Life, now time.Time) bool {
	nowMs := now.UnixMilli()
	list := append(slices.Clone(lives), contract.Life{FromMs: nowMs, ToMs: nowMs})
	slices.SortFunc(list, func(a, b contract.Life) int { return cmp.Compare(a.FromMs, b.FromMs) })
	last := list[0].ToMs
	for _, l := range list[1:] {
		if l.FromMs-last > tallyLag.Milliseconds() && nowMs-l.FromMs < tallyReturn.Milliseconds() {
			return true
		}
		last = max(last, l.ToMs)
	}
	return false
}

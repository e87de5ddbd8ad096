package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
)

// tallyFolder is the folder of the documents, in the order of their names: one
// for each full hour that a collector stopped at, and for each end of one.
const tallyFolder = "tally/"

func tallyName(at time.Time) string {
	form := "2006-01-02T15"
	if at.Minute() != 0 {
		form += "-04"
	}
	return tallyFolder + strings.ToLower(at.UTC().Format(form))
}

// load takes up the newest document, or begins at an hour.
func (t *tally) load(ctx context.Context, hour time.Time) error {
	names, err := t.store.DocumentNames(ctx, tallyFolder)
	if err != nil {
		return fmt.Errorf("list the tally's documents: %w", err)
	}
	var c counts
	if len(names) == 0 {
		c, err = t.keep(ctx, counts{AtMs: hour.UnixMilli()})
	} else {
		c, err = t.read(ctx, names[len(names)-1])
	}
	if err == nil {
		t.counts, t.loaded = c, true
	}
	return err
}

func (t *tally) read(ctx context.Context, name string) (counts, error) {
	var c counts
	body, err := t.store.Document(ctx, name)
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	if err != nil {
		return c, fmt.Errorf("read the tally's document %q: %w", name, err)
	}
	return c, nil
}

// keep makes counts durable, and returns those that stand then: another collector
// of the same store that was there first has counted for all.
func (t *tally) keep(ctx context.Context, c counts) (counts, error) {
	name := tallyName(time.UnixMilli(c.AtMs))
	body, err := json.Marshal(c)
	if err != nil {
		return c, fmt.Errorf("encode the tally: %w", err)
	}
	if err = t.store.PutDocument(ctx, name, body); errors.Is(err, store.ErrTaken) {
		return t.read(ctx, name)
	}
	return c, err
}

// tallyLeave bounds how long keeping the counts may hold up the end.
const tallyLeave = 5 * time.Second

// leave keeps the counts for the collector that goes on. It is called once ctx
// has ended.
func (t *tally) leave(ctx context.Context) {
	if !t.loaded {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tallyLeave)
	defer cancel()
	if _, err := t.keep(ctx, t.counts); err != nil {
		t.log.Warn("contract counters are not kept at the end: some may begin anew", "err", err)
	}
}

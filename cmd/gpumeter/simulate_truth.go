package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// truth is what was made up, each batch once: how much, and the time of each
// cloud's GPUs in every state.
type truth struct {
	batches, records int64
	clouds           map[string]*contract.Time
}

func (t *truth) add(b *usage.Batch) {
	t.batches++
	t.records += int64(len(b.Records))
	at := t.of(b.Node.Cloud.Provider)
	for i := range b.Records {
		s := &b.Records[i].Sums
		at[contract.Unhealthy] += s.UnhealthyMs
		at[contract.Unallocated] += s.UnallocatedMs
		at[contract.Idle] += s.IdleMs
		at[contract.Unmeasured] += s.UnmeasuredMs
		at[contract.Busy] += s.BusyMs
	}
}

// merge adds what another has seen.
func (t *truth) merge(o *truth) {
	t.batches += o.batches
	t.records += o.records
	for cloud, x := range o.clouds {
		t.of(cloud).Add(*x)
	}
}

func (t *truth) of(cloud string) *contract.Time {
	if t.clouds == nil {
		t.clouds = map[string]*contract.Time{}
	}
	if t.clouds[cloud] == nil {
		t.clouds[cloud] = &contract.Time{}
	}
	return t.clouds[cloud]
}

// observed are the states that records speak of.
var observed = []contract.Bucket{contract.Unhealthy, contract.Unallocated, contract.Idle, contract.Unmeasured, contract.Busy}

// compare asks the collector for its report of the span, prints both and
// returns an error if they differ.
func (t *truth) compare(ctx context.Context, s *source, from, to time.Time, out io.Writer) error {
	ask := collector.Ask{From: from.Format(time.RFC3339), To: to.Format(time.RFC3339)}
	var rep contract.Report
	if _, err := s.ask(ctx, "/api/v1/report", ask.Values(), &rep); err != nil {
		return err
	}
	if len(rep.Contracts) > 0 {
		return fmt.Errorf("the collector at %s has contracts: only time that none covers can be compared", s.URL)
	}
	said := truth{}
	for _, x := range rep.Uncontracted {
		said.of(x.Provider).Add(x.Buckets)
	}
	wrong, err := t.print(&said, out)
	if err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("the collector's report differs from the truth in %d figures", wrong)
	}
	if q := rep.Quality; q.OverlapRecords+q.Conflicts+q.Quarantined > 0 {
		return fmt.Errorf("the collector counts %d overlapping records, %d conflicts and %d quarantined batches where there are none", q.OverlapRecords, q.Conflicts, q.Quarantined)
	}
	return nil
}

// print writes the truth, and beside it what is said otherwise; it returns in
// how many figures.
func (t *truth) print(said *truth, out io.Writer) (wrong int, err error) {
	names := maps.Clone(t.clouds)
	maps.Copy(names, said.clouds)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\nGPU-ms\t")
	for _, b := range observed {
		fmt.Fprintf(w, "%s\t", b)
	}
	fmt.Fprintln(w)
	for _, cloud := range slices.Sorted(maps.Keys(names)) {
		want, got := *t.of(cloud), *said.of(cloud)
		fmt.Fprintf(w, "%s\t", cloud)
		for _, b := range observed {
			said := ""
			if want[b] != got[b] {
				wrong++
				said = fmt.Sprintf(" (said: %d)", got[b])
			}
			fmt.Fprintf(w, "%d%s\t", want[b], said)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return wrong, err
	}
	if wrong == 0 {
		_, err = fmt.Fprintln(out, "\nThe collector's report says exactly this.")
	}
	return wrong, err
}

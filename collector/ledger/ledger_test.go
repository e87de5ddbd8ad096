package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
)

var ctx = context.Background()

// changed is a store in which some documents are not what was put.
type changed struct {
	store.Documents
	bodies map[string][]byte // by name; nil is gone
}

func (c *changed) Document(ctx context.Context, name string) ([]byte, error) {
	if body, ok := c.bodies[name]; ok {
		if body == nil {
			return nil, store.ErrNoDocument
		}
		return body, nil
	}
	return c.Documents.Document(ctx, name)
}

func (c *changed) DocumentNames(ctx context.Context, prefix string) ([]string, error) {
	names, err := c.Documents.DocumentNames(ctx, prefix)
	return slices.DeleteFunc(names, func(n string) bool { body, ok := c.bodies[n]; return ok && body == nil }), err
}

// entry makes an entry with parts of its own.
func entry(t *testing.T, j *ledger.Journal, month string, revision int, kind ledger.Kind) ledger.Entry {
	t.Helper()
	e := ledger.Entry{Store: "s", Month: month, Revision: revision, Kind: kind, AsOf: time.Date(2026, 11, 4, 0, 0, 0, 0, time.UTC), UnplacedMs: 7}
	for i, hash := range []*string{&e.Terms, &e.Placements, &e.Report} {
		var err error
		if *hash, err = j.PutPart(ctx, fmt.Appendf(nil, "%s %d %d", month, revision, i)); err != nil {
			t.Fatal(err)
		}
	}
	if revision > 0 {
		e.Corrections = []contract.Correction{{Contract: "acme", Tranche: "h100", Currency: "USD", Buckets: contract.Time{-1, 1}}}
	}
	return e
}

// filled returns the documents of a ledger of two months, one corrected.
func filled(t *testing.T) (*storetest.Model, []ledger.Sealed) {
	t.Helper()
	st := storetest.NewModel()
	j := ledger.New(st)
	for _, x := range []struct {
		month    string
		revision int
		kind     ledger.Kind
	}{{"2026-09", 0, ledger.Closing}, {"2026-10", 0, ledger.Closing}, {"2026-09", 1, ledger.Correction}, {"2026-09", 2, ledger.Restatement}} {
		before, err := j.Entries(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Append(ctx, before, entry(t, j, x.month, x.revision, x.kind)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := j.Entries(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return st, all
}

func TestJournalReadsWhatItWrote(t *testing.T) {
	st, want := filled(t)
	got, err := ledger.New(st).Entries(ctx)
	if err != nil || !reflect.DeepEqual(got, want) || len(got) != 4 {
		t.Errorf("entries = %+v, %v, want %+v", got, err, want)
	}
	if rev := ledger.Revisions(got, "2026-09"); len(rev) != 3 || rev[1].N != 3 || rev[2].Kind != ledger.Restatement {
		t.Errorf("revisions = %+v", rev)
	}
	if part, err := ledger.New(st).Part(ctx, got[1].Report); err != nil || string(part) != "2026-10 0 2" {
		t.Errorf("part = %q, %v", part, err)
	}
	audit, err := ledger.Verify(ctx, st, got[0].SHA256, func(d, p string) { t.Errorf("%s: %s", d, p) })
	if err != nil || audit != (ledger.Audit{Entries: 4, Parts: 12, Head: got[3].SHA256}) {
		t.Errorf("audit = %+v, %v", audit, err)
	}
}

func TestAppendRefusesWhatDoesNotFollow(t *testing.T) {
	st, all := filled(t)
	j := ledger.New(st)
	for name, e := range map[string]ledger.Entry{
		"a second closing":        entry(t, j, "2026-10", 0, ledger.Closing),
		"a revision twice":        entry(t, j, "2026-09", 2, ledger.Correction),
		"a revision left out":     entry(t, j, "2026-10", 2, ledger.Correction),
		"a correction of nothing": entry(t, j, "2026-11", 0, ledger.Correction),
		"a closing as a revision": entry(t, j, "2026-10", 1, ledger.Closing),
	} {
		if _, err := j.Append(ctx, all, e); err == nil || errors.Is(err, ledger.ErrBehind) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	if _, err := j.Append(ctx, all[:3], entry(t, j, "2026-09", 2, ledger.Correction)); !errors.Is(err, ledger.ErrBehind) {
		t.Errorf("append behind the ledger: %v, want ErrBehind", err)
	}
}

// TestOneOfManyAppends lets journals of one store append at once: each number
// has one winner, and the chain holds.
func TestOneOfManyAppends(t *testing.T) {
	st := storetest.NewModel()
	const writers, each = 6, 5
	var late atomic.Int64
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			j := ledger.New(st)
			for i := range each {
				e := entry(t, j, fmt.Sprintf("20%02d-01", 30+w*each+i), 0, ledger.Closing)
				for {
					before, err := j.Entries(ctx)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err = j.Append(ctx, before, e); err == nil {
						break
					}
					if !errors.Is(err, ledger.ErrBehind) {
						t.Error(err)
						return
					}
					late.Add(1)
				}
			}
		})
	}
	running.Wait()
	all, err := ledger.New(st).Entries(ctx)
	if err != nil || len(all) != writers*each {
		t.Errorf("%d entries, %v, want %d (%d came late)", len(all), err, writers*each, late.Load())
	}
}

// TestVerifyFindsEveryChangedByte changes each byte of each document, and
// takes each document away.
func TestVerifyFindsEveryChangedByte(t *testing.T) {
	st, all := filled(t)
	names, err := st.DocumentNames(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	last := fmt.Sprintf("ledger/entry/%08d", len(all))
	f := func(name string, body []byte, what string) {
		t.Helper()
		c := &changed{st, map[string][]byte{name: body}}
		var found []string
		if _, err := ledger.Verify(ctx, c, all[len(all)-1].SHA256, func(document, problem string) { found = append(found, document+": "+problem) }); err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Errorf("%s: %s is not found", name, what)
		}
		if strings.HasPrefix(name, "ledger/entry/") && name != last {
			if got, err := ledger.New(c).Entries(ctx); err == nil {
				t.Errorf("%s: %s: the ledger is read as if nothing were: %d entries", name, what, len(got))
			}
		}
	}
	for _, name := range names {
		body, err := st.Document(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range body {
			other := slices.Clone(body)
			other[i] ^= 0x20
			f(name, other, fmt.Sprintf("byte %d", i))
		}
		f(name, nil, "its absence")
		f(name, append(slices.Clone(body), ' '), "a byte at its end")
	}

}

func TestVerifyWithoutAHeadSaysWhichDocument(t *testing.T) {
	st, all := filled(t)
	if err := st.PutDocument(ctx, "ledger/odd", nil); err != nil {
		t.Fatal(err)
	}
	c := &changed{st, map[string][]byte{"ledger/part/" + all[1].Placements: []byte("other"), "ledger/part/" + all[2].Terms: nil}}
	got := map[string]string{}
	if _, err := ledger.Verify(ctx, c, "", func(document, problem string) { got[document] = problem }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || !strings.Contains(got["ledger/part/"+all[1].Placements], "was changed") ||
		!strings.Contains(got["ledger/entry/00000003"], all[2].Terms+" is missing") || got["ledger/odd"] == "" {
		t.Errorf("found %+v", got)
	}
}

// TestVerifyHoldsDaysTogether has three closed days, one of them written anew,
// and changes each.
func TestVerifyHoldsDaysTogether(t *testing.T) {
	st := storetest.NewModel()
	bodies := map[string][]byte{}
	put := func(name, body string) string {
		t.Helper()
		if err := st.PutDocument(ctx, store.DayPrefix+name, []byte(body)); err != nil {
			t.Fatal(err)
		}
		bodies[store.DayPrefix+name] = []byte(body)
		return contract.Hash([]byte(body))
	}
	if last, err := ledger.LastDay(ctx, st); last != "" || err != nil {
		t.Errorf("last day of none = %q, %v", last, err)
	}
	first := put("2026-10-01/0", `{"edition":0,"batches":3}`)
	put("2026-10-01/1", fmt.Sprintf(`{"edition":1,"first_sha256":%q}`, first))
	second := put("2026-10-03/0", fmt.Sprintf(`{"edition":0,"prev_sha256":%q}`, first))
	third := put("2026-10-04/0", fmt.Sprintf(`{"edition":0,"prev_sha256":%q}`, second))
	if last, err := ledger.LastDay(ctx, st); last != third || err != nil {
		t.Errorf("last day = %q, %v, want %q", last, err, third)
	}
	j := ledger.New(st)
	e := entry(t, j, "2026-09", 0, ledger.Closing)
	e.Days = third
	if _, err := j.Append(ctx, nil, e); err != nil {
		t.Fatal(err)
	}
	verify := func(docs store.Documents) (problems []string, days int) {
		t.Helper()
		a, err := ledger.Verify(ctx, docs, "", func(_, problem string) { problems = append(problems, problem) })
		if err != nil {
			t.Fatal(err)
		}
		return problems, a.Days
	}
	if problems, days := verify(st); len(problems) > 0 || days != 4 {
		t.Errorf("%d days, problems %q", days, problems)
	}
	for name, body := range bodies {
		if name != store.DayPrefix+"2026-10-01/1" { // its bytes are held by the store's seal
			other := append(slices.Clone(body), ' ')
			if problems, _ := verify(&changed{st, map[string][]byte{name: other}}); len(problems) == 0 {
				t.Errorf("%s with another byte: nothing was found", name)
			}
			if problems, _ := verify(&changed{st, map[string][]byte{name: nil}}); len(problems) == 0 {
				t.Errorf("%s missing: nothing was found", name)
			}
		}
	}
	odd := &changed{st, map[string][]byte{store.DayPrefix + "2026-10-03/0": []byte(`{"edition":7}`), store.DayPrefix + "2026-10-01/1": []byte(`{`)}}
	if problems, _ := verify(odd); len(problems) < 3 {
		t.Errorf("problems %q", problems)
	}
}

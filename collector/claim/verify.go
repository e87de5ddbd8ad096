package claim

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// Verified is what a bundle that holds was found to hold.
type Verified struct {
	Incident contract.Incident
	// Closed is the ledger's entry that the bundle names; nil where its month was
	// not closed.
	Closed  *Closed
	Files   int
	Records int
	Batches int
	// LostMs is what the records themselves show to be lost; zero for incidents
	// of a tranche, which have none.
	LostMs int64
}

// Verify checks a bundle by itself: that no file was changed, added or taken
// away, that the batches are a chain, that every record came in one of them, and
// that the records show at least the loss that is claimed. It returns the first
// thing that does not hold. It cannot tell who wrote the bundle.
func Verify(files []File) (Verified, error) {
	v := &check{files: map[string][]byte{}, batches: map[string]bool{}}
	for _, f := range files {
		v.files[f.Name] = f.Body
	}
	v.out.Files = len(files)
	for _, step := range []func() error{v.sums, v.claim, v.chain, v.records} {
		if err := step(); err != nil {
			return Verified{}, fmt.Errorf("verify bundle: %w", err)
		}
	}
	return v.out, nil
}

type check struct {
	files   map[string][]byte
	doc     document
	batches map[string]bool
	out     Verified
}

// sums compares every file with its hash.
func (v *check) sums() error {
	listed := map[string]bool{sumsName: true}
	list, ok := v.files[sumsName]
	if !ok {
		return errors.New("there is no " + sumsName)
	}
	for n, line := range strings.Split(strings.TrimSuffix(string(list), "\n"), "\n") {
		sum, name, ok := strings.Cut(line, "  ")
		want, err := hex.DecodeString(sum)
		if !ok || err != nil || len(want) != sha256.Size || !plain(name) {
			return fmt.Errorf("%s, line %d: not of the form SHA256  NAME", sumsName, n+1)
		}
		body, ok := v.files[name]
		if !ok {
			return fmt.Errorf("%s is missing", name)
		}
		if got := sha256.Sum256(body); !bytes.Equal(got[:], want) {
			return fmt.Errorf("%s was changed: its SHA-256 is %x, not %s", name, got, sum)
		}
		listed[name] = true
	}
	for name := range v.files {
		if !listed[name] {
			return fmt.Errorf("%s was added: %s does not list it", name, sumsName)
		}
	}
	return nil
}

func (v *check) claim() error {
	d := json.NewDecoder(bytes.NewReader(v.files["claim.json"]))
	if err := d.Decode(&v.doc); err != nil {
		return fmt.Errorf("claim.json: %w", err)
	}
	if v.doc.Schema != Schema {
		return fmt.Errorf("claim.json has schema %q, this program reads %q", v.doc.Schema, Schema)
	}
	v.out.Incident, v.out.Closed = v.doc.Incident, v.doc.Closed
	return nil
}

// rows reads a table by the names of its columns.
func (v *check) rows(name string, f func(get func(string) string) error) error {
	all, err := csv.NewReader(bytes.NewReader(v.files[name])).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(all) == 0 {
		return fmt.Errorf("%s is empty", name)
	}
	for n, row := range all[1:] {
		var lacks string
		err := f(func(column string) string {
			if i := slices.Index(all[0], column); i >= 0 {
				return strings.TrimPrefix(row[i], "'")
			}
			lacks = column
			return ""
		})
		if lacks != "" {
			return fmt.Errorf("%s has no column %q", name, lacks)
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", name, n+2, err)
		}
	}
	return nil
}

// chain follows the hashes of each agent's epoch.
func (v *check) chain() error {
	var last struct{ feed, hash, seq, prev string }
	return v.rows("chain.csv", func(get func(string) string) error {
		feed, seq := get("agent")+"/"+get("epoch"), get("seq")
		v.batches[feed+"/"+seq] = true
		v.out.Batches++
		now, err := strconv.ParseUint(seq, 10, 64)
		if err != nil {
			return fmt.Errorf("seq %q is not a number", seq)
		}
		before, _ := strconv.ParseUint(last.seq, 10, 64)
		prev := get("previous_sha256")
		chained := prev != "" || last.prev != "" // what is read out of a Prometheus is not
		if feed == last.feed && now == before+1 && chained && prev != last.hash {
			return fmt.Errorf("batch %s/%d names %q as the batch before, whose hash is %s", feed, now, prev, last.hash)
		}
		if feed == last.feed && now <= before {
			return fmt.Errorf("batch %s/%d comes after %d", feed, now, before)
		}
		last.feed, last.hash, last.seq, last.prev = feed, get("sha256"), seq, prev
		return nil
	})
}

// records adds up what the records show of the incident.
func (v *check) records() error {
	x := &v.doc.Incident
	from, to := x.From.UnixMilli(), x.To.UnixMilli()
	at := x.GPUs // whose records show it
	if x.Kind == contract.UnitDown {
		at = x.DownBy
	}
	var unhealthy, observed int64
	err := v.rows("records.csv", func(get func(string) string) error {
		v.out.Records++
		if id := get("agent") + "/" + get("epoch") + "/" + get("seq"); !v.batches[id] {
			return fmt.Errorf("its batch %s is not in chain.csv", id)
		}
		start, err1 := time.Parse(time.RFC3339, get("from"))
		end, err2 := time.Parse(time.RFC3339, get("to"))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if end.UnixMilli() <= from || start.UnixMilli() >= to || !slices.Contains(at, get("gpu")) {
			return nil
		}
		var seen int64
		for _, column := range []string{"unhealthy_ms", "unallocated_ms", "idle_ms", "unmeasured_ms", "busy_ms"} {
			n, err := strconv.ParseInt(get(column), 10, 64)
			if err != nil || n < 0 {
				return fmt.Errorf("%s %q is not a number of milliseconds", column, get(column))
			}
			seen += n
			if column == "unhealthy_ms" && (x.Cause == "" || x.Cause == get("reason")) {
				unhealthy += n
			}
		}
		// A window that the incident begins or ends in was observed outside of it
		// first: what is claimed is the part that was not.
		outside := max(0, from-start.UnixMilli()) + max(0, end.UnixMilli()-to)
		observed += max(0, seen-outside)
		return nil
	})
	if err != nil || len(x.GPUs) == 0 {
		return err
	}
	v.out.LostMs = unhealthy
	if x.Kind == contract.UnitDown { // each of them, as long as any that took them down
		v.out.LostMs *= int64(len(x.GPUs))
	}
	if x.Bucket == contract.Unobserved.String() {
		v.out.LostMs = int64(len(x.GPUs))*(to-from) - observed
	}
	if v.out.LostMs < x.GPUMs {
		return fmt.Errorf("claim.json claims %d GPU-ms, the records show %d", x.GPUMs, v.out.LostMs)
	}
	return nil
}

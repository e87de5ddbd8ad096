package claim

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// File is one file of a bundle.
type File struct {
	Name string
	Body []byte
}

// sumsName is the file with the hashes of all others.
const sumsName = "SHA256SUMS"

// Files returns the bundle's files by name, SHA256SUMS last.
func (b *Bundle) Files() ([]File, error) {
	var out []File
	for _, f := range []struct {
		name string
		body func() ([]byte, error)
	}{
		{"chain.csv", b.chainCSV},
		{"claim.json", func() ([]byte, error) { return encode(b.document()) }},
		{"events.csv", b.eventsCSV},
		{"records.csv", b.recordsCSV},
		{"terms.json", b.terms},
		{"ticket.txt", func() ([]byte, error) { return b.ticket(), nil }},
		{"timeline.csv", b.timelineCSV},
		{"timeline.txt", func() ([]byte, error) { return b.timelineText(), nil }},
	} {
		body, err := f.body()
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.name, err)
		}
		out = append(out, File{f.name, body})
	}
	return append(out, File{sumsName, sums(out)}), nil
}

// sums lists the hashes of files as sha256sum does.
func sums(files []File) []byte {
	var out bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&out, "%x  %s\n", sha256.Sum256(f.Body), f.Name)
	}
	return out.Bytes()
}

// terms are the contract's, in the form that is hashed for closed months.
func (b *Bundle) terms() ([]byte, error) {
	text, err := contract.Canonical([]contract.Contract{b.Contract})
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// recordsCSV has a row for each record, or for each GPU's window and batch if
// holders are left out.
func (b *Bundle) recordsCSV() ([]byte, error) {
	header := []string{"gpu", "from", "to", "unhealthy_ms", "unallocated_ms", "idle_ms", "unmeasured_ms", "busy_ms", "reason",
		"evidence", "agent", "epoch", "seq"}
	if b.WithHolders {
		header = append(header, "holder_basis", "holder_kind", "holder_group", "holder_name", "holder_part")
	}
	rows := [][]string{header}
	for _, e := range b.records() {
		r := &e.Record
		row := []string{r.GPU, utc(r.StartMs), utc(r.EndMs), fmt.Sprint(r.UnhealthyMs), fmt.Sprint(r.UnallocatedMs), fmt.Sprint(r.IdleMs),
			fmt.Sprint(r.UnmeasuredMs), fmt.Sprint(r.BusyMs), r.Reason, string(e.evidence), e.id.Agent, e.id.Epoch, fmt.Sprint(e.id.Seq)}
		if b.WithHolders {
			h := r.Holder
			row = append(row, string(h.Basis), h.Kind, h.Group, h.Name, h.Part)
		}
		rows = append(rows, row)
	}
	return table(rows)
}

// entry is a record with what brought it.
type entry struct {
	usage.Record
	evidence usage.Evidence
	id       usage.ID
}

// records are the entries; without holders, those of one window are added up,
// apart from those with another reason.
func (b *Bundle) records() []entry {
	var out []entry
	for _, e := range b.Entries {
		r := e.Record
		if !b.WithHolders {
			i := len(out) - 1 // entries come by window
			for i >= 0 && out[i].Reason != r.Reason && sameWindow(&out[i].Record, &r) {
				i--
			}
			if i >= 0 && sameWindow(&out[i].Record, &r) && out[i].id == e.Batch {
				out[i].Sums.Add(r.Sums)
				continue
			}
		}
		out = append(out, entry{r, e.Evidence, e.Batch})
	}
	return out
}

func sameWindow(a, b *usage.Record) bool {
	return a.GPU == b.GPU && a.StartMs == b.StartMs && a.EndMs == b.EndMs
}

func (b *Bundle) eventsCSV() ([]byte, error) {
	rows := [][]string{{"at", "node", "gpu", "kind", "value", "detail"}}
	for i := range b.Events {
		e := &b.Events[i]
		rows = append(rows, []string{utc(e.AtMs), e.Node, e.GPU, string(e.Kind), fmt.Sprint(e.Value), b.detail(e)})
	}
	return table(rows)
}

// chainCSV has the batches that brought the records and those between: each
// names the hash of the one before.
func (b *Bundle) chainCSV() ([]byte, error) {
	rows := [][]string{{"agent", "epoch", "seq", "node", "sha256", "previous_sha256", "received", "records", "events"}}
	links := slices.Clone(b.Links)
	slices.SortFunc(links, func(x, y store.Link) int {
		return cmp.Or(cmp.Compare(x.Agent, y.Agent), cmp.Compare(x.Epoch, y.Epoch), cmp.Compare(x.Seq, y.Seq))
	})
	for _, l := range links {
		rows = append(rows, []string{l.Agent, l.Epoch, fmt.Sprint(l.Seq), l.Node, l.Hash.String(), l.Prev, utc(l.ReceivedMs),
			fmt.Sprint(l.Records), fmt.Sprint(l.Events)})
	}
	return table(rows)
}

// table writes rows as CSV. Text that a spreadsheet would take for a formula is
// preceded by an apostrophe.
func table(rows [][]string) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	for _, row := range rows {
		for i := range row {
			row[i] = safe(row[i])
		}
		_ = w.Write(row) // w.Error has it
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

func safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(s)[0]) && s != "-" {
		return "'" + s
	}
	return s
}

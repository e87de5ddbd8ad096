package focus

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// deliverySchema names the form of a delivery's file.
const deliverySchema = "gpumeter.focus/v1"

// Delivery is what one import brought.
type Delivery struct {
	Schema     string    `json:"schema"`
	ImportedAt time.Time `json:"imported_at"`
	// Feed tells exports of the same account apart that do not replace each
	// other; see Options.
	Feed string `json:"feed,omitempty"`
	// Adds says that the bills stand beside earlier ones instead of replacing
	// them.
	Adds bool `json:"adds,omitempty"`
	// Digest is of all files' contents: the same files are imported once.
	Digest  string `json:"digest"`
	Files   []File `json:"files"`
	Charges int    `json:"charges"`

	Bills  []contract.Bill             `json:"-"`
	Stated []contract.StatedCommitment `json:"-"`
	// Name is that of the delivery's file, without its folder.
	Name string `json:"-"`
}

// File is one file of a delivery.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Rows   int    `json:"rows"`
}

// line is one line of a delivery's file after the first; one field is set.
// Charges name their bill and their columns by number, in order.
type line struct {
	Bill    *contract.Bill             `json:"bill,omitempty"`
	Columns contract.Columns           `json:"columns,omitempty"`
	Charge  *chargeLine                `json:"charge,omitempty"`
	Stated  *contract.StatedCommitment `json:"stated,omitempty"`
	End     bool                       `json:"end,omitempty"`
}

type chargeLine struct {
	Bill    int                `json:"b"`
	Columns int                `json:"s"`
	FromMs  int64              `json:"from"`
	ToMs    int64              `json:"to"`
	Costs   [4]*contract.Money `json:"c"`
	Applied []contract.Applied `json:"a,omitempty"`
}

// write writes a delivery: gzipped JSON, a line for the delivery, for each
// bill, set of columns, charge and commitment, and one that says that this is
// all.
func (d *Delivery) write(w io.Writer) error {
	z := gzip.NewWriter(w)
	buf := bufio.NewWriter(z)
	e := json.NewEncoder(buf)
	if err := e.Encode(d); err != nil {
		return err
	}
	sets := map[uintptr]int{}
	for i := range d.Bills {
		bill := d.Bills[i]
		bill.Charges = nil
		if err := e.Encode(line{Bill: &bill}); err != nil {
			return err
		}
		for k := range d.Bills[i].Charges {
			if err := writeCharge(e, sets, i, &d.Bills[i].Charges[k]); err != nil {
				return err
			}
		}
	}
	for i := range d.Stated {
		if err := e.Encode(line{Stated: &d.Stated[i]}); err != nil {
			return err
		}
	}
	if err := e.Encode(line{End: true}); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	return z.Close()
}

// writeCharge writes a charge, and before it its columns if they are new.
func writeCharge(e *json.Encoder, sets map[uintptr]int, bill int, c *contract.Charge) error {
	at := reflect.ValueOf(c.Columns).Pointer()
	set, ok := sets[at]
	if !ok {
		set = len(sets)
		sets[at] = set
		if err := e.Encode(line{Columns: c.Columns}); err != nil {
			return err
		}
	}
	x := chargeLine{Bill: bill, Columns: set, FromMs: c.FromMs, ToMs: c.ToMs, Applied: c.Applied}
	for i := range c.Costs.Known {
		if c.Costs.Known[i] {
			x.Costs[i] = &c.Costs.Amount[i]
		}
	}
	return e.Encode(line{Charge: &x})
}

// readDelivery reads what write writes. An error says what is wrong, not
// where.
func readDelivery(r io.Reader) (*Delivery, error) {
	z, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	in := json.NewDecoder(z)
	in.DisallowUnknownFields() // a field that is not understood must not be lost
	d := &Delivery{}
	if err := in.Decode(d); err != nil {
		return nil, err
	}
	if d.Schema != deliverySchema {
		return nil, fmt.Errorf("has schema %q, this program reads %q", d.Schema, deliverySchema)
	}
	var sets []contract.Columns
	for {
		var l line
		if err := in.Decode(&l); err != nil {
			return nil, err
		}
		switch {
		case l.Bill != nil:
			d.Bills = append(d.Bills, *l.Bill)
		case l.Columns != nil:
			sets = append(sets, l.Columns)
		case l.Stated != nil:
			d.Stated = append(d.Stated, *l.Stated)
		case l.Charge != nil:
			if err := d.add(l.Charge, sets); err != nil {
				return nil, err
			}
		case l.End:
			return d, atEnd(in)
		}
	}
}

func (d *Delivery) add(x *chargeLine, sets []contract.Columns) error {
	if x.Bill < 0 || x.Bill >= len(d.Bills) || x.Columns < 0 || x.Columns >= len(sets) {
		return fmt.Errorf("has a charge of bill %d with columns %d that it does not have", x.Bill, x.Columns)
	}
	c := contract.Charge{FromMs: x.FromMs, ToMs: x.ToMs, Columns: sets[x.Columns], Applied: x.Applied}
	for i, m := range x.Costs {
		if m != nil {
			c.Costs.Amount[i], c.Costs.Known[i] = *m, true
		}
	}
	d.Bills[x.Bill].Charges = append(d.Bills[x.Bill].Charges, c)
	return nil
}

// atEnd wants nothing more to come; reading up to there checks the checksum.
func atEnd(in *json.Decoder) error {
	_, err := in.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("goes on after its end")
}

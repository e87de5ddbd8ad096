package focus

import (
	"encoding/csv"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// ExportOptions are what the rows of an export say beside the contracts.
type ExportOptions struct {
	// Now decides whether a commitment is pending, active or expired.
	Now time.Time
	// Updated is when the contract file was last changed.
	Updated time.Time
}

// WriteCommitments writes contracts as FOCUS 1.4 Contract Commitment rows: one
// for each step of a tranche, and for each floor of a pool or for what its
// total is beyond them, so that costs add up to what is committed.
func WriteCommitments(w io.Writer, contracts []contract.Contract, o ExportOptions) error {
	var rows []exportRow
	for i := range contracts {
		c := &contracts[i]
		for k := range c.Tranches {
			list, err := trancheRows(c, &c.Tranches[k])
			if err != nil {
				return fmt.Errorf("export contract %q, tranche %q: %w", c.ID, c.Tranches[k].ID, err)
			}
			rows = append(rows, list...)
		}
		for k := range c.Commitments {
			list, err := commitmentRows(c, &c.Commitments[k])
			if err != nil {
				return fmt.Errorf("export contract %q, commitment %q: %w", c.ID, c.Commitments[k].ID, err)
			}
			rows = append(rows, list...)
		}
	}
	out := csv.NewWriter(w)
	header := make([]string, len(exportColumns))
	for i, col := range exportColumns {
		header[i] = col.name
	}
	_ = out.Write(header) // out.Error has it
	for i := range rows {
		cells := make([]string, len(exportColumns))
		for k, col := range exportColumns {
			cells[k] = col.text(&rows[i], &o)
		}
		_ = out.Write(cells)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write commitments: %w", err)
	}
	return nil
}

// exportRow is one commitment in the words of FOCUS, before it is written.
type exportRow struct {
	c            *contract.Contract
	id, title    string
	spend        bool
	model        contract.CommitmentModel
	interval     string
	fromMs, toMs int64
	cost         contract.Money
	hasCost      bool
	prepaid      bool
	scope        string // as JSON
	// Of capacity:
	gpus    int
	tranche *contract.Tranche
	// Of spend:
	m     *contract.Commitment
	total contract.Money
}

// trancheRows makes a row of each step that has GPUs.
func trancheRows(c *contract.Contract, t *contract.Tranche) ([]exportRow, error) {
	var out []exportRow
	for i, s := range t.Steps {
		end := t.EndMs
		if i+1 < len(t.Steps) {
			end = min(end, t.Steps[i+1].FromMs)
		}
		if s.GPUs == 0 || end <= s.FromMs {
			continue
		}
		scope := trancheScope(c, t)
		text, err := scope.text()
		if err != nil {
			return nil, err
		}
		r := exportRow{
			c: c, id: c.ID + "/" + t.ID, title: fmt.Sprintf("%d × %s", s.GPUs, t.Model), model: contract.Continuous, interval: "Hourly",
			fromMs: s.FromMs, toMs: end, gpus: s.GPUs, tranche: t, scope: text,
		}
		if len(t.Steps) > 1 {
			r.id += fmt.Sprintf("/%d", i+1)
		}
		if r.cost, r.hasCost, err = t.Price(s.FromMs, end); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// intervals are FOCUS's names of ours.
var intervals = map[contract.Interval]string{
	contract.Hourly: "Hourly", contract.Daily: "Daily", contract.Monthly: "Monthly", contract.Quarterly: "Quarterly", contract.Annual: "Annual",
}

// commitmentRows makes a row of each floor, and one of what is beyond them.
func commitmentRows(c *contract.Contract, m *contract.Commitment) ([]exportRow, error) {
	total, err := c.Committed(m)
	if err != nil {
		return nil, err
	}
	scope := applicability(&m.Eligible)
	text, err := scope.text()
	if err != nil {
		return nil, err
	}
	whole := exportRow{
		c: c, id: c.ID + "/" + m.ID, title: m.Title, spend: true, model: m.Model, interval: "Full Period", fromMs: m.FromMs, toMs: m.EndMs,
		cost: total, hasCost: true, prepaid: m.Shortfall == contract.Forfeit, scope: text, m: m, total: total,
	}
	if m.CloudID != "" {
		whole.id = m.CloudID
	}
	if whole.title == "" {
		whole.title = "Spend commitment " + m.ID
	}
	if m.Model == contract.Continuous {
		whole.interval = intervals[m.Interval]
		return []exportRow{whole}, nil
	}
	var out []exportRow
	for i, f := range m.Floors {
		r := whole
		r.id, r.fromMs, r.toMs, r.cost = fmt.Sprintf("%s/%d", whole.id, i+1), f.FromMs, f.ToMs, f.Amount
		whole.cost -= f.Amount
		out = append(out, r)
	}
	if whole.cost > 0 {
		out = append(out, whole)
	}
	return out, nil
}

// quantity is the GPU-hours of a row of capacity, with six decimals.
func (r *exportRow) quantity() string {
	ms := new(big.Int).Mul(big.NewInt(int64(r.gpus)), big.NewInt(r.toMs-r.fromMs))
	return new(big.Rat).SetFrac(ms, big.NewInt(3_600_000)).FloatString(6)
}

// status is the lifecycle of a row at a time.
func (r *exportRow) status(now time.Time) string {
	switch ms := now.UnixMilli(); {
	case ms < r.fromMs:
		return "Pending"
	case ms >= r.toMs:
		return "Expired"
	}
	return "Active"
}

// duration is the length of a row in the words of FOCUS: "3 Years", "1 Month",
// "45 Days".
func (r *exportRow) duration() string {
	from, to := time.UnixMilli(r.fromMs).In(r.c.Zone), time.UnixMilli(r.toMs).In(r.c.Zone)
	months := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
	if months > 0 && from.AddDate(0, months, 0).Equal(to) {
		if months%12 == 0 {
			return count(months/12, "Year")
		}
		return count(months, "Month")
	}
	const hour = 3_600_000
	if ms := r.toMs - r.fromMs; ms%dayMs != 0 {
		return count(int((ms+hour-1)/hour), "Hour")
	}
	return count(int((r.toMs-r.fromMs)/dayMs), "Day")
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

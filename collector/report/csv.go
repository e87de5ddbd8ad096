package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// row is one line of the CSV table before it is written.
type row struct {
	kind      string // "tranche", "total", "uncontracted", or one of their groups
	report    *contract.Report
	statement *contract.Statement // nil for uncontracted
	line      *contract.Line      // nil for uncontracted
	stray     *contract.Stray     // only for uncontracted
	group     *contract.Parcel    // only for groups, whose line or stray it is
}

// column is one column: its header, and what a row has in it.
type column struct {
	name string
	text func(row) string
}

// CSV writes the report as one table, with a row for each tranche, for the
// total of each contract, and for each group of uncontracted GPUs; where the
// report is broken down, each is followed by its groups. GPU-hours
// are rounded to six decimals; the …_gpu_ms columns and all money are exact. A
// cell that does not apply is empty. Text that a spreadsheet would take for a
// formula is preceded by an apostrophe.
func CSV(w io.Writer, r contract.Report) error {
	c := csv.NewWriter(w)
	header := make([]string, len(columns))
	for i, col := range columns {
		header[i] = col.name
	}
	_ = c.Write(header) // c.Error has it
	for _, x := range rows(&r) {
		cells := make([]string, len(columns))
		for i, col := range columns {
			cells[i] = col.text(x)
		}
		_ = c.Write(cells)
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write report as CSV: %w", err)
	}
	return nil
}

func rows(r *contract.Report) []row {
	var out []row
	for i := range r.Contracts {
		s := &r.Contracts[i]
		for t := range s.Tranches {
			out = append(out, withGroups(row{kind: "tranche", report: r, statement: s, line: &s.Tranches[t]}, s.Tranches[t].Groups)...)
		}
		out = append(out, withGroups(row{kind: "total", report: r, statement: s, line: &s.Total}, s.Total.Groups)...)
	}
	for i := range r.Uncontracted {
		out = append(out, row{kind: "uncontracted", report: r, stray: &r.Uncontracted[i]})
	}
	if r.Breakdown == nil {
		return out
	}
	for i := range r.Breakdown.Uncontracted {
		p := &r.Breakdown.Uncontracted[i]
		out = append(out, row{kind: "uncontracted-group", report: r, group: p, stray: &contract.Stray{Ms: p.Buckets.Total(), Buckets: p.Buckets}})
	}
	for i := range r.Breakdown.Currencies {
		c := &r.Breakdown.Currencies[i]
		all := row{kind: "currency", report: r, statement: &contract.Statement{Currency: c.Currency}, line: &contract.Line{}}
		out = append(out, withGroups(all, c.Groups)[1:]...)
	}
	return out
}

// withGroups is a row and those of its groups.
func withGroups(x row, groups []contract.Parcel) []row {
	out := []row{x}
	for i := range groups {
		p := &groups[i]
		out = append(out, row{kind: x.kind + "-group", report: x.report, statement: x.statement, group: p, line: &contract.Line{
			Tranche: x.line.Tranche, Model: x.line.Model, ContractedMs: p.ContractedMs, Buckets: p.Buckets,
			SMActiveMs: p.SMActiveMs, SMKnownMs: p.SMKnownMs, EnergyMJ: p.EnergyMJ, EnergyKnownMs: p.EnergyKnownMs,
			OverageMs: p.OverageMs, Cost: p.Cost,
		}})
	}
	return out
}

// columns are in the order of the file. New ones go to the end.
var columns = allColumns()

func allColumns() []column {
	cols := []column{
		{"row", func(x row) string { return x.kind }},
		{"period", func(x row) string { return safe(x.report.Period) }},
		{"as_of", func(x row) string { return x.report.AsOf.Format(time.RFC3339) }},
		{"provider", func(x row) string {
			return safe(either(x, func() string { return x.statement.Provider }, func() string { return x.stray.Provider }))
		}},
		{"contract", ofStatement(func(s *contract.Statement) string { return safe(s.Contract) })},
		{"title", ofStatement(func(s *contract.Statement) string { return safe(s.Title) })},
		{"tranche", ofLine(func(l *contract.Line) string { return safe(l.Tranche) })},
		{"account", ofStray(func(s *contract.Stray) string { return safe(s.Account) })},
		{"region", ofStray(func(s *contract.Stray) string { return safe(s.Region) })},
		{"model", func(x row) string {
			return safe(either(x, func() string { return x.line.Model }, func() string { return x.stray.Model }))
		}},
		{"billing_timezone", ofStatement(func(s *contract.Statement) string { return safe(s.Zone) })},
		{"from", ofStatement(func(s *contract.Statement) string { return moment3339(s.From) })},
		{"to", ofStatement(func(s *contract.Statement) string { return moment3339(s.To) })},
		{"gpus", func(x row) string {
			if x.group != nil {
				return ""
			}
			return either(x, func() string { return strconv.Itoa(x.line.GPUs) }, func() string { return strconv.Itoa(x.stray.GPUs) })
		}},
	}
	cols = append(cols, times()...)
	cols = append(cols, amounts()...)
	cols = append(cols, groupColumns()...)
	return append(cols, parts()...)
}

// parts are exact parts of buckets of a tranche or contract, in milliseconds.
func parts() []column {
	part := func(name string, ms func(row) int64) column {
		return column{name + "_gpu_ms", func(x row) string {
			if x.line == nil || x.group != nil {
				return ""
			}
			return strconv.FormatInt(ms(x), 10)
		}}
	}
	return []column{
		part("undelivered_within_grace", func(x row) int64 { return x.line.GraceMs }),
		part("unhealthy_alone", func(x row) int64 { return x.line.UnhealthyAloneMs }),
		part("substituted", substituted),
	}
}

// substituted is the time of accepted models, which a total does not list.
func substituted(x row) (ms int64) {
	lines := []contract.Line{*x.line}
	if x.kind == "total" {
		lines = x.statement.Tranches
	}
	for i := range lines {
		for _, s := range lines[i].Substitutes {
			ms += s.Ms
		}
	}
	return ms
}

// groupColumns say of which group a row is.
func groupColumns() []column {
	return []column{
		{"by", ofGroup(func(x row) string { return string(x.report.Breakdown.By) })},
		{"group_kind", ofGroup(func(x row) string { return string(x.group.Kind) })},
		{"group", ofGroup(func(x row) string { return safe(x.group.Group) })},
		{"others", ofGroup(func(x row) string {
			if x.group.Kind != contract.OfOthers {
				return ""
			}
			return strconv.Itoa(x.group.Others)
		})},
	}
}

func ofGroup(f func(row) string) func(row) string {
	return func(x row) string {
		if x.group == nil {
			return ""
		}
		return f(x)
	}
}

// moment3339 is empty for what is of no one contract.
func moment3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// timeField is a GPU time of a row, where it has one.
type timeField struct {
	name string
	ms   func(row) (int64, bool)
}

// timeFields are all of them.
func timeFields() []timeField {
	fields := []timeField{{"contracted", lineMs(func(l *contract.Line) int64 { return l.ContractedMs })}}
	for b := range contract.Buckets {
		fields = append(fields, timeField{b.String(), func(x row) (int64, bool) {
			if x.line != nil {
				return x.line.Buckets[b], true
			}
			return x.stray.Buckets[b], b != contract.Undelivered
		}})
	}
	return append(fields, []timeField{
		{"undelivered_unconfirmed", func(x row) (int64, bool) {
			if x.line == nil || x.group != nil {
				return 0, false
			}
			return x.line.UnconfirmedMs, true
		}},
		{"overage", lineMs(func(l *contract.Line) int64 { return l.OverageMs })},
		{"uncontracted", func(x row) (int64, bool) {
			if x.stray == nil {
				return 0, false
			}
			return x.stray.Ms, true
		}},
		{"sm_active", lineMs(func(l *contract.Line) int64 { return l.SMActiveMs })},
		{"sm_known", lineMs(func(l *contract.Line) int64 { return l.SMKnownMs })},
	}...)
}

// times are the columns of GPU time, rounded hours before exact milliseconds.
func times() []column {
	var hours, exact []column
	for _, f := range timeFields() {
		hours = append(hours, column{f.name + "_gpu_hours", func(x row) string {
			if ms, ok := f.ms(x); ok {
				return decimalHours(ms)
			}
			return ""
		}})
		exact = append(exact, column{f.name + "_gpu_ms", func(x row) string {
			if ms, ok := f.ms(x); ok {
				return strconv.FormatInt(ms, 10)
			}
			return ""
		}})
	}
	return append(hours, exact...)
}

// amounts are the columns of money and what belongs to it.
func amounts() []column {
	cols := []column{
		{"currency", ofStatement(func(s *contract.Statement) string { return safe(s.Currency) })},
		{"contracted_cost", ofLine(func(l *contract.Line) string { return l.Cost.Contracted.String() })},
	}
	for b := range contract.Buckets {
		cols = append(cols, column{b.String() + "_cost", ofLine(func(l *contract.Line) string { return l.Cost.Buckets[b].String() })})
	}
	return append(cols, []column{
		{"overage_cost", ofLine(func(l *contract.Line) string { return l.Cost.Overage.String() })},
		{"unpriced_gpu_ms", ofLine(func(l *contract.Line) string { return strconv.FormatInt(l.Cost.UnpricedMs, 10) })},
		{"overage_unpriced_gpu_ms", ofLine(func(l *contract.Line) string { return strconv.FormatInt(l.Cost.OverageUnpricedMs, 10) })},
		{"energy_millijoules", ofLine(func(l *contract.Line) string { return strconv.FormatInt(l.EnergyMJ, 10) })},
		{"energy_known_gpu_ms", ofLine(func(l *contract.Line) string { return strconv.FormatInt(l.EnergyKnownMs, 10) })},
		{"utilisation_of_contracted", ofUtilisation(func(u contract.Utilisation) float64 { return u.Busy })},
		{"utilisation_of_contracted_lower", ofUtilisation(func(u contract.Utilisation) float64 { return u.Lower })},
		{"utilisation_of_contracted_upper", ofUtilisation(func(u contract.Utilisation) float64 { return u.Upper })},
		{"nearest", ofStray(func(s *contract.Stray) string { return safe(s.Near) })},
	}...)
}

func either(x row, line, stray func() string) string {
	if x.stray != nil {
		return stray()
	}
	return line()
}

func ofStatement(f func(*contract.Statement) string) func(row) string {
	return func(x row) string {
		if x.statement == nil {
			return ""
		}
		return f(x.statement)
	}
}

func ofLine(f func(*contract.Line) string) func(row) string {
	return func(x row) string {
		if x.line == nil {
			return ""
		}
		return f(x.line)
	}
}

func ofStray(f func(*contract.Stray) string) func(row) string {
	return func(x row) string {
		if x.stray == nil {
			return ""
		}
		return f(x.stray)
	}
}

func ofUtilisation(f func(contract.Utilisation) float64) func(row) string {
	return ofLine(func(l *contract.Line) string {
		if !l.Utilisation.Known {
			return ""
		}
		return strconv.FormatFloat(f(l.Utilisation), 'f', 6, 64)
	})
}

func lineMs(f func(*contract.Line) int64) func(row) (int64, bool) {
	return func(x row) (int64, bool) {
		if x.line == nil {
			return 0, false
		}
		return f(x.line), true
	}
}

// decimalHours writes milliseconds as hours with six decimals, without
// separators.
func decimalHours(ms int64) string {
	const hour = 3_600_000
	sign := ""
	if ms < 0 {
		sign, ms = "-", -ms
	}
	micro := (ms%hour*2_000_000 + hour) / (2 * hour)
	return fmt.Sprintf("%s%d.%06d", sign, ms/hour+micro/1_000_000, micro%1_000_000)
}

// safe keeps a spreadsheet from taking a text for a formula. The fullwidth
// forms count, because some spreadsheets fold them.
func safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}

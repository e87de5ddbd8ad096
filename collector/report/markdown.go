package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// Markdown writes the report as a document with tables, to be pasted into a
// ticket or a page. It says what Text says, without its bars.
func Markdown(w io.Writer, r contract.Report) error {
	d := &document{r: &r}
	d.head()
	d.summary()
	d.remarks()
	switch {
	case r.Breakdown != nil:
		d.showback(r.Breakdown)
	default:
		for i := range r.Contracts {
			d.statement(&r.Contracts[i])
		}
		d.strays()
	}
	d.quality()
	if _, err := io.WriteString(w, d.out.String()); err != nil {
		return fmt.Errorf("write report as Markdown: %w", err)
	}
	return nil
}

// document gathers the text of a report as Markdown.
type document struct {
	out strings.Builder
	r   *contract.Report
}

func (d *document) print(format string, args ...any) { fmt.Fprintf(&d.out, format, args...) }

// table begins a table; columns whose name ends in a colon are aligned right.
func (d *document) table(columns ...string) {
	d.print("\n")
	line := "|"
	for _, c := range columns {
		name, right := strings.CutSuffix(c, ":")
		d.print("| %s ", name)
		if right {
			line += "---:|"
		} else {
			line += "---|"
		}
	}
	d.print("|\n%s\n", line)
}

func (d *document) row(cells ...string) { d.print("| %s |\n", strings.Join(cells, " | ")) }

func (d *document) head() {
	d.print("# GPU ledger, %s\n\nData up to %s, each contract in its own billing calendar", mark(d.r.Period), moment(d.r.AsOf))
	if e := d.r.Edition; e != nil {
		d.print("; %s, contracts `%.12s`", edition(e, d.r.AsOf), e.Terms)
		if e.Head != "" {
			d.print(", ledger head `%s`", e.Head)
		}
	}
	d.print(".\n")
}

func (d *document) summary() {
	if len(d.r.Contracts) < 2 {
		return
	}
	d.table("contract", "cloud", "GPUs:", "GPU-hours contracted:", "delivered:", "healthy:", "busy:", "cost:")
	for i := range d.r.Contracts {
		s := &d.r.Contracts[i]
		l, b := &s.Total, &s.Total.Buckets
		delivered := l.ContractedMs - b[contract.Undelivered]
		d.row(mark(s.Contract), mark(s.Provider), contract.Grouped(int64(l.GPUs)), contract.Hours(l.ContractedMs), contract.Share(delivered, l.ContractedMs),
			contract.Share(delivered-b[contract.Unobserved]-b[contract.Unhealthy], l.ContractedMs), contract.Share(b[contract.Busy], l.ContractedMs),
			l.Cost.Contracted.Figure()+" "+s.Currency)
	}
	d.print("\nDelivered to busy are shares of contracted GPU-hours.\n")
}

func (d *document) remarks() {
	if len(d.r.Remarks) == 0 {
		return
	}
	d.print("\n## What stands out\n\n")
	for i := range d.r.Remarks {
		text, who := d.r.Remarks[i].Sentence()
		d.print("- %s: %s\n", who, mark(text))
	}
}

// statement is the account of one contract.
func (d *document) statement(s *contract.Statement) {
	d.print("\n## %s / %s\n\n", mark(s.Provider), mark(s.Contract))
	l := &s.Total
	if !s.From.Before(s.To) {
		d.print("Its period begins at %s: nothing of it is settled yet.\n", moment(contract.InZone(s.From, s.Zone)))
		return
	}
	d.print("%s, %s contracted at its end.\n", bounds(s.From, s.To, s.Zone), gpus(l.GPUs))
	if l.ContractedMs > 0 {
		d.table("", "GPU-hours:", s.Currency+":", "of contracted:", "who can act")
		for i, x := range l.Waterfall() {
			name, actor := "**"+x.Name+"**", ""
			switch {
			case x.Off:
				name, actor = "− "+x.Name, x.Bucket.Actor()
			case i > 0:
				name = "= " + name
			}
			d.row(name, contract.Hours(x.Ms), x.Cost.Figure(), contract.Share(x.Ms, l.ContractedMs), actor)
		}
	}
	if len(s.Tranches) > 1 {
		d.table("tranche", "model", "GPUs:", "GPU-hours:", "delivered:", "busy:", s.Currency+":")
		for i := range s.Tranches {
			x := &s.Tranches[i]
			d.row(mark(x.Tranche), mark(x.Model), contract.Grouped(int64(x.GPUs)), contract.Hours(x.ContractedMs),
				contract.Share(x.ContractedMs-x.Buckets[contract.Undelivered], x.ContractedMs), contract.Share(x.Buckets[contract.Busy], x.ContractedMs), x.Cost.Contracted.Figure())
		}
	}
	d.notes(l, s.Currency)
}

// notes say what the waterfall leaves out.
func (d *document) notes(l *contract.Line, currency string) {
	d.print("\n")
	b := &l.Buckets
	if l.ContractedMs > 0 {
		d.print("- utilisation: %s of contracted, bounds [%s, %s]\n", contract.Share(b[contract.Busy], l.ContractedMs), contract.Share(b[contract.Busy], l.ContractedMs),
			contract.Share(b[contract.Busy]+b[contract.Unobserved]+b[contract.Unmeasured], l.ContractedMs))
		d.print("- check: sum of buckets = contracted: %s = %s GPU-ms; sum of costs = contracted cost: %s = %s %s\n", contract.Grouped(b.Total()),
			contract.Grouped(l.ContractedMs), l.Cost.Buckets.Total(), l.Cost.Contracted, currency)
	}
	if l.Cost.UnpricedMs > 0 {
		d.print("- no price: %s GPU-hours of contracted have no rate and are in no amount\n", contract.Hours(l.Cost.UnpricedMs))
	}
	if l.OverageMs > 0 {
		d.print("- overage: %s GPU-hours beyond the contracted number, %s %s", contract.Hours(l.OverageMs), l.Cost.Overage.Figure(), currency)
		if l.Cost.OverageUnpricedMs > 0 {
			d.print(", %s GPU-hours of them without a price", contract.Hours(l.Cost.OverageUnpricedMs))
		}
		d.print("\n")
	}
	if l.UnconfirmedMs > 0 {
		d.print("- unconfirmed: %s GPU-hours of undelivered follow GPUs that fell silent without a goodbye\n", contract.Hours(l.UnconfirmedMs))
	}
}

// showback is a table for each currency, and one for each contract.
func (d *document) showback(b *contract.Breakdown) {
	for i := range b.Currencies {
		s := &b.Currencies[i]
		d.print("\n## By %s, all contracts in %s\n", b.By, s.Currency)
		d.groups(&s.Total, s.Groups, s.Currency)
	}
	for i := range d.r.Contracts {
		s := &d.r.Contracts[i]
		if len(s.Total.Groups) > 0 && len(d.r.Contracts) > 1 {
			all := s.Total.Parcel()
			d.print("\n## %s / %s, by %s\n", mark(s.Provider), mark(s.Contract), b.By)
			d.groups(&all, s.Total.Groups, s.Currency)
		}
	}
}

func (d *document) groups(all *contract.Parcel, list []contract.Parcel, currency string) {
	d.table(string(d.r.Breakdown.By), "GPU-hours:", "busy:", "idle:", "idle "+currency+":", currency+":", "of all:")
	for _, p := range append(list[:len(list):len(list)], *all) {
		ms := p.Buckets.Total()
		d.row(mark(groupName(&p)), contract.Hours(ms), contract.Share(p.Buckets[contract.Busy], ms), contract.Share(p.Buckets[contract.Idle], ms),
			p.Cost.Buckets[contract.Idle].Figure(), p.Cost.Contracted.Figure(), contract.Share(int64(p.Cost.Contracted), int64(all.Cost.Contracted)))
	}
	var parts []string
	for b, ms := range list[len(list)-1].Buckets {
		if ms > 0 {
			parts = append(parts, contract.Hours(ms)+" "+contract.Bucket(b).String())
		}
	}
	d.print("\nBusy and idle are shares of the row's GPU-hours; of all: of contracted cost.")
	if len(parts) > 0 {
		d.print(" Unattributed, as no %s can be named: %s GPU-hours.", d.r.Breakdown.By, strings.Join(parts, ", "))
	}
	d.print("\n")
}

func (d *document) strays() {
	if len(d.r.Uncontracted) == 0 {
		return
	}
	d.print("\n## Uncontracted: GPUs in no tranche\n")
	d.table("cloud", "account", "region", "model", "GPUs:", "GPU-hours:", "busy:", "nearest tranche, and what failed")
	for i := range d.r.Uncontracted {
		s := &d.r.Uncontracted[i]
		d.row(mark(known(s.Provider)), mark(known(s.Account)), mark(known(s.Region)), mark(known(s.Model)), contract.Grouped(int64(s.GPUs)),
			contract.Hours(s.Ms), contract.Share(s.Buckets[contract.Busy], s.Ms), mark(s.Near))
	}
}

func (d *document) quality() {
	q := d.r.Quality
	d.print("\n## Data quality\n\n- %s GPUs present in the period\n", contract.Grouped(int64(q.GPUs)))
	if q.RecordedSince != nil {
		d.print("- %s\n", unseen(*q.RecordedSince))
	}
	for _, x := range []struct {
		n    int64
		what string
	}{
		{q.OverlapRecords, "records left out, because another agent's own their GPU and time"},
		{q.Conflicts, "batches kept aside since the store began, as they had the identity of another"},
		{q.Quarantined, "batches kept aside since the store began, as they could not be accepted"},
	} {
		if x.n > 0 {
			d.print("- %s: %s\n", x.what, contract.Grouped(x.n))
		}
	}
}

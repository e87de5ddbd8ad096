package web_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector/web"
	"github.com/gpumeter/gpumeter/contract"
)

// kept reads what other tests keep.
func kept(t testing.TB, into any, path ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func spendPage(t testing.TB, change func(*contract.SpendReport)) string {
	t.Helper()
	var r contract.SpendReport
	kept(t, &r, "..", "report", "testdata", "spend.json")
	if change != nil {
		change(&r)
	}
	var b bytes.Buffer
	if err := (web.SpendPage{Report: &r, Version: "1.2.3", Query: url.Values{}}).Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func claimsPage(t testing.TB, change func(*contract.Docket)) string {
	t.Helper()
	var d contract.Docket
	kept(t, &d, "..", "testdata", "claims.json")
	if change != nil {
		change(&d)
	}
	var b bytes.Buffer
	if err := (web.ClaimsPage{Docket: &d, Now: now, Version: "1.2.3", Query: url.Values{"month": {"2026-10"}}}).Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSpendAndClaimsAsServed(t *testing.T) {
	golden(t, "spend.html", spendPage(t, nil))
	golden(t, "claims.html", claimsPage(t, nil))
}

// TestClosedMonthNamesTheLedgersHead shows a closed month as the books read it.
func TestClosedMonthNamesTheLedgersHead(t *testing.T) {
	r, revision := fleet(t), 2
	r.Edition = &contract.Edition{State: contract.Closed, Revision: &revision, Head: strings.Repeat("4f", 32)}
	if page := render(t, web.Page{Report: r, HasContracts: true}); !strings.Contains(page, "closed, revision 2, ledger head "+r.Edition.Head) {
		t.Error("the page does not name the head of the ledger")
	}
}

// TestPagesObeyThePolicy holds that no page has what its policy forbids, and
// that each leads to the others.
func TestPagesObeyThePolicy(t *testing.T) {
	for name, page := range map[string]string{"spend": spendPage(t, nil), "claims": claimsPage(t, nil)} {
		for _, forbidden := range []string{"<script", " style=", "<link", "<img", "http://", "ZgotmplZ"} {
			if strings.Contains(page, forbidden) {
				t.Errorf("the page of %s has %q", name, forbidden)
			}
		}
		for _, link := range []string{`href="./"`, `href="spend"`, `href="claims"`} {
			if shown := strings.Contains(link, name); strings.Contains(page, link) == shown {
				t.Errorf("the page of %s: link %s", name, link)
			}
		}
	}
}

// TestPagesEscape puts mark-up where texts of others go.
func TestPagesEscape(t *testing.T) {
	const evil = `<b onload=x>"'`
	page := spendPage(t, func(r *contract.SpendReport) {
		r.Commitments[0].Title, r.Commitments[0].Commitment, r.Bills[0].Account = evil, evil, evil
	}) + claimsPage(t, func(d *contract.Docket) {
		x := &d.Incidents[0]
		x.ID, x.Rule, x.Contract, x.Site.Node, x.Currency = evil, evil, evil, evil, evil
	})
	if strings.Contains(page, "<b onload") {
		t.Error("a text of others is mark-up on the page")
	}
}

// TestClaimsPageSaysWhatIsOwed adds up by hand what the list has.
func TestClaimsPageSaysWhatIsOwed(t *testing.T) {
	var owed contract.Money
	page := claimsPage(t, func(d *contract.Docket) {
		for i := range d.Incidents {
			if x := &d.Incidents[i]; x.Class == contract.Claimable {
				owed += x.Owed
			}
		}
	})
	if want := "<dt>Can be claimed</dt><dd><b>" + owed.Figure() + " USD</b>"; owed == 0 || !strings.Contains(page, want) {
		t.Errorf("the page has no %s", want)
	}
	page = claimsPage(t, func(d *contract.Docket) {
		for i := range d.Incidents {
			if c := d.Incidents[i].Claim; c != nil {
				c.Expired = true
			}
		}
	})
	if strings.Contains(page, "<dt>Can be claimed</dt><dd><b>"+owed.Figure()) {
		t.Error("what is too late can be claimed, says the page")
	}
}

// TestClaimsPageKeepsTimeBeforeMeteringApart makes of a late delivery time
// before anybody looked: it is said in a line, and is in no large number.
func TestClaimsPageKeepsTimeBeforeMeteringApart(t *testing.T) {
	var lost contract.Money
	var says string
	page := claimsPage(t, func(d *contract.Docket) {
		d.MeteredSince = &now
		for i := range d.Incidents {
			x := &d.Incidents[i]
			if x.Kind == contract.LateDelivery {
				x.Kind, x.Class, x.Owed = contract.BeforeMetering, contract.Unknown, 0
			} else if x.Class != contract.Claimable {
				lost += x.Amount
			}
		}
		says = d.Unmetered()
	})
	if says == "" || strings.Count(page, "<p>"+says+"</p>") != 1 {
		t.Errorf("the page does not say once %q", says)
	}
	if want := "<dt>Lost besides</dt><dd><b>" + lost.Figure() + " USD</b>"; !strings.Contains(page, want) {
		t.Errorf("the page has no %s", want)
	}
	if !strings.Contains(page, ">before metering</th>") {
		t.Error("the page does not list the time before metering")
	}
}

// TestSpendPageMarksWhatIsPartial looks for the bill that lacks its end.
func TestSpendPageMarksWhatIsPartial(t *testing.T) {
	page := spendPage(t, func(r *contract.SpendReport) { r.Bills[0].Partial = true })
	if strings.Count(page, "partial: the rest of the period is not imported") != 1 {
		t.Error("the page does not say which bill is partial")
	}
}

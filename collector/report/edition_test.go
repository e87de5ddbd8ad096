package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

func TestReportSaysHowFinalAMonthIs(t *testing.T) {
	closes := time.Date(2026, 11, 4, 7, 0, 0, 0, time.UTC)
	zero, two := 0, 2
	f := func(want string, state contract.PeriodState, revision *int, asOf time.Time) {
		t.Helper()
		r := contract.Report{Period: "2026-10", AsOf: asOf, Edition: &contract.Edition{State: state, ClosesAt: closes, Revision: revision}}
		var text, page strings.Builder
		if err := report.Text(&text, r, report.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := report.Markdown(&page, r); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), "\n"+want+", contracts") || !strings.Contains(page.String(), "; "+want+", contracts") {
			t.Errorf("%s at %s is not %q:\n%s\n%s", state, asOf, want, text.String(), page.String())
		}
	}
	f("open: it closes at 2026-11-04 07:00 UTC", contract.Open, nil, closes.AddDate(0, 0, -7))
	f("provisional: it closes at 2026-11-04 07:00 UTC", contract.Provisional, nil, closes.Add(-1))
	f("provisional: due to be closed since 2026-11-04 07:00 UTC", contract.Provisional, nil, closes)
	f("closed; this is what is known now, and may differ from what was closed", contract.Closed, nil, closes)
	f("closed, revision 0", contract.Closed, &zero, closes)
	f("closed, with corrections: revision 2", contract.Closed, &two, closes)
}

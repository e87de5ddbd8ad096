package collector_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/contract"
)

func TestParseAsk(t *testing.T) {
	f := func(query string, want collector.Ask) {
		t.Helper()
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := collector.ParseAsk(q)
		if err != nil {
			t.Errorf("%q: %v", query, err)
			return
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", query, d)
		}
		again, err := collector.ParseAsk(got.Values())
		if err != nil || again != got {
			t.Errorf("%q: its Values are read as %+v, %v", query, again, err)
		}
	}
	day := 24 * time.Hour
	f("", collector.Ask{})
	f("month=2026-10&contract=cw", collector.Ask{Month: "2026-10", Contract: "cw"})
	f("from=2026-10-01&to=2026-10-02T12:00:00Z", collector.Ask{From: "2026-10-01", To: "2026-10-02T12:00:00Z"})
	f("period=2026-10-03&contract=cw", collector.Ask{From: "2026-10-03", To: "2026-10-04", Contract: "cw"})
	f("since=7d", collector.Ask{Since: 7 * day})
	f("since=1d12h", collector.Ask{Since: 36 * time.Hour})
	f("since=90m", collector.Ask{Since: 90 * time.Minute})
	f("by=team&top=5", collector.Ask{By: contract.ByTeam, Top: 5})
	f("by=node&top=all", collector.Ask{By: contract.ByNode, Top: collector.AllGroups})
}

func TestAskSaysWhatIsWrong(t *testing.T) {
	contracts := fleetContracts(t)
	f := func(query, want string) {
		t.Helper()
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		ask, err := collector.ParseAsk(q)
		if err == nil {
			_, err = collector.Report(t.Context(), newFleet(), contracts, ask, fleetNow)
		}
		var a *collector.AskError
		if !errors.As(err, &a) || a.Problem != want {
			t.Errorf("%q: %v, want %q", query, err, want)
		}
	}
	f("moth=2026-10", `unknown parameter "moth": want period, month, from, to, since, contract, revision, by or top`)
	f("month=2026-10&month=2026-11", "month is given 2 times")
	f("month=2026-10&since=7d", "month, since and from/to are given together: want one of them")
	f("period=2026-10&since=7d", "period is given together with month, since, from or to: want one of them")
	f("month=October", `month "October" is not of the form 2026-10`)
	f("month=2026-13", `month "2026-13" is not of the form 2026-10`)
	f("month=0001-01", `month "0001-01" is not of the form 2026-10`)
	f("to=2026-10-01", "to is given without from")
	f("from=yesterday", `from "yesterday" is neither a date (2026-10-01) nor a time (2026-10-01T12:00:00Z)`)
	f("from=2026-10-02&to=2026-10-01", "the period ends at 2026-10-01T00:00:00Z, not after it begins at 2026-10-02T00:00:00Z")
	f("from=1990-10-02&to=2026-10-01", "the period from 1990-10-02T00:00:00Z to 2026-10-01T00:00:00Z is longer than five years")
	f("from=1990-10-02", "the period from 1990-10-02T00:00:00Z to 2026-11-02T12:00:00Z is longer than five years")
	f("since=7", `since "7" is not a span of time such as 7d or 12h`)
	f("since=-7h", `since "-7h" is not a span of time such as 7d or 12h`)
	f("since=9999d", `since "9999d" is not between a minute and five years`)
	f("since=2562047h", `since "2562047h" is not between a minute and five years`)
	f("since=0d", `since "0d" is not a span of time such as 7d or 12h`)
	f("since=1s", `since "1s" is not between a minute and five years`)
	f("by=teams", `by "teams" is not cloud, account, region, model, node, holder or team`)
	f("by=team&top=0", `top "0" is neither a number from 1 nor "all"`)
	f("by=team&top=-1", `top "-1" is neither a number from 1 nor "all"`)
	f("by=team&top=9999999999", `top "9999999999" is neither a number from 1 nor "all"`)
	f("top=3", "top is given without by: only groups are listed by what they cost")
	f("month=2026-10&revision=latest&by=team", "revision and by are given together: a breakdown is no part of a closed month")
}

package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gpumeter/gpumeter/contract"
)

var outlookNow = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

// ahead is an outlook on one contract whose incidents are of February.
func ahead(incidents ...contract.Incident) *outlook {
	return &outlook{
		contracts: func() []contract.Contract { return []contract.Contract{{ID: "c", Provider: "aws"}} },
		claims: func(_ context.Context, month string) (contract.Docket, error) {
			switch month {
			case "2026-02":
				return contract.Docket{Incidents: incidents}, nil
			case "2026-01":
				return contract.Docket{}, fmt.Errorf("%w: before the first record", ErrNoData)
			case "2026-03":
				return contract.Docket{}, nil
			}
			return contract.Docket{}, errors.New("month " + month + " is none of the last three")
		},
		spend: func(context.Context) (contract.SpendReport, error) { return contract.SpendReport{}, nil },
		now:   func() time.Time { return outlookNow }, log: slog.New(slog.DiscardHandler),
	}
}

func due(class contract.Class, owed contract.Money, in time.Duration) contract.Incident {
	x := contract.Incident{Contract: "c", Currency: "USD", Class: class, Owed: owed}
	if in != 0 {
		at := outlookNow.Add(in)
		x.Claim = &contract.Claim{Deadline: &at, Expired: in < 0}
	}
	return x
}

// said compares what an outlook says in metrics.
func said(t *testing.T, o *outlook, want string, names ...string) {
	t.Helper()
	if err := testutil.CollectAndCompare(o, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

// Only what can be claimed counts, and the next deadline is the one that is told.
func TestOutlookTellsOpenClaims(t *testing.T) {
	const day = 24 * time.Hour
	o := ahead(due(contract.Claimable, 5_000_000, 9*day), due(contract.Claimable, 250_000, 2*day), due(contract.Claimable, 1_000_000, 0),
		due(contract.Claimable, 70_000_000, -day), due(contract.Ours, 80_000_000, day), due(contract.Unknown, 90_000_000, day))
	said(t, o, "", "gpumeter_claim_incidents", "gpumeter_claim_owed_amount", "gpumeter_claim_deadline_timestamp_seconds")
	if err := o.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	said(t, o, fmt.Sprintf(`
# HELP gpumeter_claim_deadline_timestamp_seconds When the next of these claims is too late. Absent where there is none, or the contract states no time.
# TYPE gpumeter_claim_deadline_timestamp_seconds gauge
gpumeter_claim_deadline_timestamp_seconds{cloud="aws",contract="c",currency="USD"} %d
# HELP gpumeter_claim_incidents Incidents of the last three months for which something can be claimed, and it is not too late.
# TYPE gpumeter_claim_incidents gauge
gpumeter_claim_incidents{cloud="aws",contract="c",currency="USD"} 3
# HELP gpumeter_claim_owed_amount What can be claimed for them.
# TYPE gpumeter_claim_owed_amount gauge
gpumeter_claim_owed_amount{cloud="aws",contract="c",currency="USD"} 6.25
`, outlookNow.Add(2*day).Unix()), "gpumeter_claim_incidents", "gpumeter_claim_owed_amount", "gpumeter_claim_deadline_timestamp_seconds")
}

// An amount that is not known is absent, and no zero.
func TestOutlookTellsCommitments(t *testing.T) {
	o := ahead()
	o.spend = func(context.Context) (contract.SpendReport, error) {
		known := contract.CommitmentSpend{Contract: "c", Commitment: "pool", Provider: "aws", Currency: "USD", From: outlookNow, To: outlookNow.Add(time.Hour), Through: outlookNow,
			Committed: contract.Figure{Amount: 100_000_000}, Drawn: &contract.Figure{}, Shortfall: &contract.Figure{Amount: 99_500_000}}
		unknown := known
		unknown.Commitment, unknown.Drawn, unknown.Shortfall = "other", nil, nil
		return contract.SpendReport{Commitments: []contract.CommitmentSpend{known, unknown}}, nil
	}
	if err := o.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	said(t, o, `
# HELP gpumeter_commitment_drawn_amount What was drawn, up to gpumeter_commitment_drawn_through_timestamp_seconds. Absent if nothing is known.
# TYPE gpumeter_commitment_drawn_amount gauge
gpumeter_commitment_drawn_amount{cloud="aws",commitment="pool",contract="c",currency="USD"} 0
# HELP gpumeter_commitment_shortfall_amount What will be missing at the end at the recent rate, or is. Absent if it cannot be told.
# TYPE gpumeter_commitment_shortfall_amount gauge
gpumeter_commitment_shortfall_amount{cloud="aws",commitment="pool",contract="c",currency="USD"} 99.5
`, "gpumeter_commitment_drawn_amount", "gpumeter_commitment_shortfall_amount", "gpumeter_commitment_remaining_amount")
}

// The first look is a minute after the start, and a failure is counted.
func TestOutlookLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, looks := ahead(), 0 // o.mu guards both
		o.now = time.Now
		o.claims = func(context.Context, string) (contract.Docket, error) { return contract.Docket{}, ErrNoData }
		o.spend = func(context.Context) (contract.SpendReport, error) {
			o.set(func() { looks++ })
			return contract.SpendReport{}, errors.New("no")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); o.run(ctx) }()
		for _, x := range []struct {
			wait time.Duration
			want int
		}{{59 * time.Second, 0}, {2 * time.Second, 1}, {9 * time.Minute, 1}, {time.Minute, 2}} {
			time.Sleep(x.wait)
			synctest.Wait()
			o.set(func() {
				if looks != x.want || o.failures != x.want {
					t.Errorf("%d looks and %d failures, want %d", looks, o.failures, x.want)
				}
			})
		}
		cancel()
		<-done
	})
}

// A failure leaves what was known, and says so.
func TestOutlookKeepsWhatItKnew(t *testing.T) {
	o := ahead(due(contract.Claimable, 5_000_000, time.Hour))
	if err := o.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.claims = func(context.Context, string) (contract.Docket, error) {
		return contract.Docket{}, errors.New("disk on fire")
	}
	if err := o.look(t.Context()); err == nil || !strings.Contains(err.Error(), "look at the claims of 2026-03: disk on fire") {
		t.Errorf("error = %v", err)
	}
	if got := testutil.CollectAndCount(o, "gpumeter_claim_owed_amount"); got != 1 {
		t.Errorf("%d amounts after the failure, want the one known before", got)
	}
}

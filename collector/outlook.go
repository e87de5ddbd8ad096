package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gpumeter/gpumeter/contract"
)

const (
	// outlookEvery is how often claims and commitments are looked at: what is
	// said of them changes by the day, and what has just begun by the hour.
	outlookEvery = 10 * time.Minute
	// outlookFirst is when they are looked at first: a start has enough to do,
	// and agents send first what they kept.
	outlookFirst = time.Minute
	// outlookMonths is how many months of incidents are looked at: agreements
	// give one or two billing periods to claim.
	outlookMonths = 3
)

// outlook is what is ahead: what can still be claimed and until when, and where
// the spend commitments are going. It is what `gpumeter claim list` and
// `gpumeter spend` say, for /metrics.
type outlook struct {
	contracts func() []contract.Contract
	claims    func(ctx context.Context, month string) (contract.Docket, error)
	spend     func(ctx context.Context) (contract.SpendReport, error)
	now       func() time.Time
	log       *slog.Logger

	mu          sync.Mutex              // guards what follows
	open        map[claimKey]openClaims // nil until known
	commitments []contract.CommitmentSpend
	failures    int
}

// claimKey is of what claims are told together.
type claimKey struct{ cloud, contract, currency string }

// openClaims is what can be claimed of a contract and is not too late.
type openClaims struct {
	incidents int
	owed      contract.Money
	deadline  time.Time // the next one; zero where there is none
}

func newOutlook(c *Collector) *outlook {
	return &outlook{
		contracts: c.cfg.Book.Contracts,
		claims: func(ctx context.Context, month string) (d contract.Docket, err error) {
			err = c.computing(ctx, func() error {
				d, err = Claims(ctx, c.cfg.Store, c.cfg.Book.Contracts(), ClaimAsk{Month: month}, c.cfg.Now())
				return err
			})
			return d, err
		},
		spend: func(ctx context.Context) (contract.SpendReport, error) { return c.Spend(ctx, SpendAsk{}) },
		now:   c.cfg.Now, log: c.cfg.Log,
	}
}

// run looks ahead until ctx ends, less often where that takes long.
func (o *outlook) run(ctx context.Context) {
	for wait := outlookFirst; ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		start := o.now()
		if len(o.contracts()) == 0 {
			wait = outlookFirst
			continue
		}
		if err := o.look(ctx); err != nil && ctx.Err() == nil {
			o.log.Error("claims and commitments are not known", "err", err)
			o.set(func() { o.failures++ })
		}
		wait = max(outlookEvery, tallyShare*o.now().Sub(start))
	}
}

// look finds what is ahead. What cannot be found out is as it was.
func (o *outlook) look(ctx context.Context) error {
	open, err := o.openClaims(ctx)
	if err == nil {
		o.set(func() { o.open = open })
	}
	spend, spendErr := o.spend(ctx)
	if spendErr == nil {
		o.set(func() { o.commitments = spend.Commitments })
	} else {
		spendErr = fmt.Errorf("look at commitments: %w", spendErr)
	}
	return errors.Join(err, spendErr)
}

// openClaims adds up what can be claimed of the last months.
func (o *outlook) openClaims(ctx context.Context) (map[claimKey]openClaims, error) {
	open, cloud := map[claimKey]openClaims{}, map[string]string{}
	for _, c := range o.contracts() {
		cloud[c.ID] = c.Provider
	}
	now := o.now().UTC()
	for back := range outlookMonths {
		month := time.Date(now.Year(), now.Month()-time.Month(back), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
		d, err := o.claims(ctx, month)
		if errors.Is(err, ErrNoData) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at the claims of %s: %w", month, err)
		}
		for i := range d.Incidents {
			x := &d.Incidents[i]
			key := claimKey{cloud[x.Contract], x.Contract, x.Currency}
			open[key] = open[key].with(x)
		}
	}
	return open, nil
}

// with adds an incident, if something can be claimed for it.
func (c openClaims) with(x *contract.Incident) openClaims {
	if x.Class != contract.Claimable || x.Claim != nil && x.Claim.Expired {
		return c
	}
	c.incidents++
	c.owed += x.Owed
	if x.Claim != nil && x.Claim.Deadline != nil && (c.deadline.IsZero() || x.Claim.Deadline.Before(c.deadline)) {
		c.deadline = *x.Claim.Deadline
	}
	return c
}

func (o *outlook) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

// claimLabels are on everything that is said of claims.
var claimLabels = []string{"cloud", "contract", "currency"}

func commitmentDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("gpumeter_commitment_"+name, help, []string{"cloud", "contract", "commitment", "currency"}, nil)
}

var (
	claimCount    = prometheus.NewDesc("gpumeter_claim_incidents", "Incidents of the last three months for which something can be claimed, and it is not too late.", claimLabels, nil)
	claimOwed     = prometheus.NewDesc("gpumeter_claim_owed_amount", "What can be claimed for them.", claimLabels, nil)
	claimDeadline = prometheus.NewDesc("gpumeter_claim_deadline_timestamp_seconds", "When the next of these claims is too late. Absent where there is none, or the contract states no time.", claimLabels, nil)

	spendCommitted = commitmentDesc("committed_amount", "What was committed to.")
	spendDrawn     = commitmentDesc("drawn_amount", "What was drawn, up to gpumeter_commitment_drawn_through_timestamp_seconds. Absent if nothing is known.")
	spendThrough   = commitmentDesc("drawn_through_timestamp_seconds", "Up to when the drawn amount is known.")
	spendRemaining = commitmentDesc("remaining_amount", "What is still to be drawn.")
	spendShortfall = commitmentDesc("shortfall_amount", "What will be missing at the end at the recent rate, or is. Absent if it cannot be told.")
	spendEnd       = commitmentDesc("end_timestamp_seconds", "When the commitment ends.")

	outlookErrors = prometheus.NewDesc("gpumeter_outlook_errors_total", "Times that claims or commitments could not be looked at.", nil, nil)
)

// Describe implements prometheus.Collector.
func (o *outlook) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{claimCount, claimOwed, claimDeadline, spendCommitted, spendDrawn, spendThrough, spendRemaining, spendShortfall, spendEnd, outlookErrors} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (o *outlook) Collect(ch chan<- prometheus.Metric) {
	o.mu.Lock()
	open, commitments, failures := o.open, o.commitments, o.failures
	o.mu.Unlock()
	out := sink{ch}
	for key, x := range open {
		out.gauge(claimCount, float64(x.incidents), key.cloud, key.contract, key.currency)
		out.gauge(claimOwed, amount(x.owed), key.cloud, key.contract, key.currency)
		if !x.deadline.IsZero() {
			out.gauge(claimDeadline, seconds(x.deadline.UnixMilli()), key.cloud, key.contract, key.currency)
		}
	}
	for i := range commitments {
		out.commitment(&commitments[i])
	}
	out.counter(outlookErrors, float64(failures))
}

// commitment says of a commitment what is known.
func (s sink) commitment(c *contract.CommitmentSpend) {
	labels := []string{c.Provider, c.Contract, c.Commitment, c.Currency}
	s.gauge(spendCommitted, amount(c.Committed.Amount), labels...)
	s.gauge(spendThrough, seconds(c.Through.UnixMilli()), labels...)
	s.gauge(spendEnd, seconds(c.To.UnixMilli()), labels...)
	for _, f := range []struct {
		desc   *prometheus.Desc
		figure *contract.Figure
	}{{spendDrawn, c.Drawn}, {spendRemaining, c.Remaining}, {spendShortfall, c.Shortfall}} {
		if f.figure != nil {
			s.gauge(f.desc, amount(f.figure.Amount), labels...)
		}
	}
}

// amount is money in units of its currency, for graphs: nothing is added up from
// it.
func amount(m contract.Money) float64 { return float64(m) / 1e6 }

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// claimArgs is where claims come from, and which are asked for.
type claimArgs struct {
	source
	Ask collector.ClaimAsk
}

func (a *claimArgs) flags(cmd *cobra.Command) {
	a.source.flags(cmd)
	monthFlags(cmd, &a.Ask.Month, "month, 2026-10 (default: the current one)")
	cmd.Flags().StringVar(&a.Ask.Contract, "contract", "", "one contract only")
}

// list returns the incidents that are asked for.
func (a *claimArgs) list(ctx context.Context) (d contract.Docket, err error) {
	if a.Data != "" {
		err = a.open(ctx, func(st *duckdb.DB, contracts []contract.Contract) error {
			d, err = collector.Claims(ctx, st, contracts, a.Ask, time.Now())
			return err
		})
		return d, err
	}
	if _, err = a.ask(ctx, "/api/v1/claims", a.Ask.Values(), &d); err != nil {
		return d, err
	}
	if err := a.reads(d.Schema, contract.DocketSchema); err != nil {
		return d, err
	}
	return d, docketInZones(&d)
}

// docketInZones puts times back into the billing zones, which JSON keeps as
// offsets.
func docketInZones(d *contract.Docket) error {
	for i := range d.Incidents {
		x := &d.Incidents[i]
		zone, err := time.LoadLocation(x.Zone)
		if err != nil {
			return fmt.Errorf("contract %q: %w", x.Contract, err)
		}
		times := []*time.Time{&x.From, &x.To}
		if c := x.Claim; c != nil {
			times = append(times, &c.From, &c.To)
			if c.Deadline != nil {
				times = append(times, c.Deadline)
			}
		}
		for _, t := range times {
			*t = t.In(zone)
		}
	}
	return nil
}

// export returns the files of an incident's bundle.
func (a *claimArgs) export(ctx context.Context, id string, holders bool) (files []claim.File, err error) {
	if a.Data != "" {
		err = a.open(ctx, func(st *duckdb.DB, contracts []contract.Contract) error {
			b, err := collector.ClaimBundle(ctx, st, contracts, a.Ask, id, holders, time.Now())
			if err == nil {
				files, err = b.Files()
			}
			return err
		})
		return files, err
	}
	q := a.Ask.Values()
	if holders {
		q.Set("holders", "true")
	}
	ans, err := a.get(ctx, "/api/v1/claims/"+url.PathEscape(id), q)
	if err != nil {
		return nil, err
	}
	return claim.ReadTar(bytes.NewReader(ans.body))
}

// open opens the data folder for f.
func (a *claimArgs) open(ctx context.Context, f func(*duckdb.DB, []contract.Contract) error) error {
	if err := a.mustHaveContracts(); err != nil {
		return err
	}
	contracts, err := a.contracts()
	if err != nil {
		return err
	}
	return a.source.open(ctx, false, func(st *duckdb.DB) error { return f(st, contracts) })
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// claimArgs is where claims come from, and which are asked for.
type claimArgs struct {
	URL, TokenFile, CAFile string
	Data, Contracts        string
	Ask                    collector.ClaimAsk
}

func (a *claimArgs) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.URL, "url", envOr("GPUMETER_URL", "http://"+defaultAddress), "collector to ask (environment: GPUMETER_URL)")
	f.StringVar(&a.TokenFile, "token-file", os.Getenv("GPUMETER_TOKEN_FILE"), "file with the bearer token (environment: GPUMETER_TOKEN_FILE)")
	f.StringVar(&a.CAFile, "ca-file", "", "file with the certificate authority of the collector")
	f.StringVar(&a.Data, "data", "", "data folder to open instead, when no collector holds it")
	f.StringVar(&a.Contracts, "contracts", "", "contract file, with --data")
	f.StringVar(&a.Ask.Month, "period", "", "month, 2026-10 (default: the current one)")
	f.StringVar(&a.Ask.Contract, "contract", "", "one contract only")
	cmd.MarkFlagsMutuallyExclusive("url", "data")
	cmd.MarkFlagsRequiredTogether("data", "contracts")
}

// list returns the incidents that are asked for.
func (a *claimArgs) list(ctx context.Context) (d contract.Docket, err error) {
	if a.Data != "" {
		err = a.open(ctx, func(st store.Store, contracts []contract.Contract) error {
			d, err = collector.Claims(ctx, st, contracts, a.Ask, time.Now())
			return err
		})
		return d, askError(err)
	}
	body, err := a.get(ctx, "/api/v1/claims", a.Ask.Values())
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return d, fmt.Errorf("read the answer of %s: %w", a.URL, err)
	}
	if d.Schema != contract.DocketSchema {
		return d, fmt.Errorf("the collector at %s answers with schema %q, this program reads %q", a.URL, d.Schema, contract.DocketSchema)
	}
	return d, nil
}

// export returns the files of an incident's bundle.
func (a *claimArgs) export(ctx context.Context, id string, holders bool) (files []claim.File, err error) {
	if a.Data != "" {
		err = a.open(ctx, func(st store.Store, contracts []contract.Contract) error {
			b, err := collector.ClaimBundle(ctx, st, contracts, a.Ask, id, holders, time.Now())
			if err == nil {
				files, err = b.Files()
			}
			return err
		})
		return files, askError(err)
	}
	q := a.Ask.Values()
	if holders {
		q.Set("holders", "true")
	}
	body, err := a.get(ctx, "/api/v1/claims/"+url.PathEscape(id), q)
	if err != nil {
		return nil, err
	}
	return claim.ReadTar(bytes.NewReader(body))
}

// open opens the data folder for f.
func (a *claimArgs) open(ctx context.Context, f func(store.Store, []contract.Contract) error) error {
	contracts, err := contractfile.Load(a.Contracts)
	if err != nil {
		return err
	}
	st, err := duckdb.Open(ctx, a.Data, duckdb.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(f(st, contracts), st.Close())
}

// get asks the collector's API.
func (a *claimArgs) get(ctx context.Context, path string, q url.Values) ([]byte, error) {
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" {
		return nil, usageError{fmt.Errorf("url %q is not of the form https://HOST:PORT", a.URL)}
	}
	u = u.JoinPath(path)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	client, err := (&reportArgs{TokenFile: a.TokenFile, CAFile: a.CAFile}).client(req)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the collector at %s (does it run there? --data opens a folder without it): %w", a.URL, errors.Unwrap(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("ask the collector at %s: %w", a.URL, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, answerError(a.URL, res, body)
	}
	return body, nil
}

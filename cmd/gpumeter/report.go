package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// reportArgs is what `gpumeter report` is asked.
type reportArgs struct {
	URL, TokenFile, CAFile string
	Data, Contracts        string
	Since, Output, By, Top string
	Ask                    collector.Ask
}

func newReport() *cobra.Command {
	var a reportArgs
	cmd := &cobra.Command{
		Use:   "report",
		Short: "What became of every contracted GPU-hour",
		Long: `report asks a collector, or opens the data folder of one that does not run,
and lays what was metered against the contracts. Without a period it is the
month to date, in each contract's billing calendar.

With --by it is broken down: by the cloud, account, region, model or node of
the GPUs, or by the holder or team that had them. The groups add up to what was
contracted; what no group can be named for is unattributed.`,
		Example: `  gpumeter report
  gpumeter report --month 2026-10 --contract cw-h100
  gpumeter report --since 7d -o json
  gpumeter report --by team --top 10
  gpumeter report --data /var/lib/gpumeter --contracts contracts.yaml --from 2026-10-01 --to 2026-10-08`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rep, err := a.fetch(cmd.Context())
			if err != nil {
				return err
			}
			return writeReport(cmd.OutOrStdout(), rep, a.Output)
		},
	}
	a.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&a.Ask.Revision, "revision", "", "with --month, of a closed month: a number, closed or latest (default latest)")
	f.StringVar(&a.By, "by", "", "break down by "+strings.Join(bys(), ", "))
	f.StringVar(&a.Top, "top", "", "with --by, how many groups one by one, or all (default 20)")
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(bys(), cobra.ShellCompDirectiveNoFileComp))
	outputFlag(cmd, &a.Output, "markdown")
	return cmd
}

// flags are those that say where to ask, and for which period.
func (a *reportArgs) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.URL, "url", envOr("GPUMETER_URL", "http://"+defaultAddress), "collector to ask (environment: GPUMETER_URL)")
	f.StringVar(&a.TokenFile, "token-file", os.Getenv("GPUMETER_TOKEN_FILE"), "file with the bearer token (environment: GPUMETER_TOKEN_FILE)")
	f.StringVar(&a.CAFile, "ca-file", "", "file with the certificate authority of the collector")
	f.StringVar(&a.Data, "data", "", "data folder to open instead, when no collector holds it")
	f.StringVar(&a.Contracts, "contracts", "", "contract file, with --data")
	f.StringVar(&a.Ask.Month, "month", "", "month, 2026-10")
	f.StringVar(&a.Ask.From, "from", "", "start: 2026-10-01 (in the billing time zone) or 2026-10-01T12:00:00Z")
	f.StringVar(&a.Ask.To, "to", "", "end, exclusive (default: now)")
	f.StringVar(&a.Since, "since", "", "so long back from now: 7d, 12h")
	f.StringVar(&a.Ask.Contract, "contract", "", "one contract only")
	cmd.MarkFlagsMutuallyExclusive("url", "data")
}

func envOr(key, otherwise string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return otherwise
}

// bys names what a report can be broken down by.
func bys() []string {
	names := make([]string, len(contract.Bys))
	for i, by := range contract.Bys {
		names[i] = string(by)
	}
	return names
}

func (a *reportArgs) fetch(ctx context.Context) (contract.Report, error) {
	var err error
	if a.Since != "" {
		if a.Ask.Since, err = collector.ParseSince(a.Since); err != nil {
			return contract.Report{}, usageError{err}
		}
	}
	if a.Ask.Top, err = collector.ParseTop(a.Top); err != nil {
		return contract.Report{}, usageError{err}
	}
	a.Ask.By = contract.By(a.By)
	if err := a.Ask.Check(); err != nil {
		return contract.Report{}, usageError{err}
	}
	rep, err := a.ask(ctx)
	var wrong *collector.AskError
	if errors.As(err, &wrong) {
		err = usageError{err}
	}
	return rep, err
}

func (a *reportArgs) ask(ctx context.Context) (contract.Report, error) {
	if a.Data == "" {
		if a.Contracts != "" {
			return contract.Report{}, usageError{errors.New("--contracts goes with --data: a collector has its own")}
		}
		return a.askCollector(ctx)
	}
	return a.openData(ctx)
}

// openData reports from a data folder that nobody holds.
func (a *reportArgs) openData(ctx context.Context) (contract.Report, error) {
	var contracts []contract.Contract
	if a.Contracts != "" {
		var err error
		if contracts, err = contractfile.Load(a.Contracts); err != nil {
			return contract.Report{}, err
		}
	}
	st, err := duckdb.Open(ctx, a.Data, duckdb.Options{ReadOnly: true})
	if err != nil {
		return contract.Report{}, err
	}
	rep, err := collector.NewBooks(st).Report(ctx, contracts, a.Ask, time.Now())
	return rep, errors.Join(err, st.Close())
}

// maxAnswer bounds what is read of a collector's answer.
const maxAnswer = 256 << 20

// askCollector asks the collector's API.
func (a *reportArgs) askCollector(ctx context.Context) (rep contract.Report, err error) {
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" {
		return rep, usageError{fmt.Errorf("url %q is not of the form https://HOST:PORT", a.URL)}
	}
	u = u.JoinPath("/api/v1/report")
	u.RawQuery = a.Ask.Values().Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return rep, err
	}
	client, err := a.client(req)
	if err != nil {
		return rep, err
	}
	res, err := client.Do(req)
	if err != nil {
		return rep, fmt.Errorf("ask the collector at %s (does it run there? --data opens a folder without it): %w", a.URL, errors.Unwrap(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return rep, fmt.Errorf("ask the collector at %s: %w", a.URL, err)
	}
	if res.StatusCode != http.StatusOK {
		return rep, answerError(a.URL, res, body)
	}
	if err := json.Unmarshal(body, &rep); err != nil {
		return rep, fmt.Errorf("read the answer of %s: %w", a.URL, err)
	}
	if rep.Schema != contract.Schema {
		return rep, fmt.Errorf("the collector at %s answers with schema %q, this program reads %q", a.URL, rep.Schema, contract.Schema)
	}
	if rep.Edition != nil && rep.Edition.Revision != nil {
		rep.Stored = body // printed as it was closed
	}
	return rep, nil
}

// remoteError is what a collector says instead of a report.
type remoteError struct {
	status int
	text   string
}

func (e remoteError) Error() string { return e.text }

// Is makes it the error that it was on the other side.
func (e remoteError) Is(target error) bool {
	return e.status == http.StatusUnprocessableEntity && target == collector.ErrNoData
}

// answerError is the collector's own sentence.
func answerError(from string, res *http.Response, body []byte) error {
	var e struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &e) == nil && e.Error != "" {
		err := remoteError{res.StatusCode, e.Error}
		if res.StatusCode == http.StatusBadRequest {
			return usageError{err}
		}
		return err
	}
	return fmt.Errorf("ask the collector at %s: %s", from, res.Status)
}

// client returns a client for the request, and puts the token on it.
func (a *reportArgs) client(req *http.Request) (*http.Client, error) {
	if a.TokenFile != "" {
		token, err := os.ReadFile(a.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	tr := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if a.CAFile != "" {
		pem, err := os.ReadFile(a.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authority: %s holds no PEM certificate", a.CAFile)
		}
		tr.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: tr, Timeout: 5 * time.Minute}, nil
}

func writeReport(w io.Writer, rep contract.Report, format string) error {
	switch format {
	case "json":
		return report.JSON(w, rep)
	case "csv":
		return report.CSV(w, rep)
	case "markdown":
		return report.Markdown(w, rep)
	}
	return report.Text(w, rep, textOptions(w))
}

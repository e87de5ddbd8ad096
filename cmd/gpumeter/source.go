package main

import (
	"cmp"
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
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// source is where answers come from: a collector, or a data folder that none
// holds, with a contract file.
type source struct {
	URL, TokenFile, CAFile string
	Data, Contracts        string
}

func (s *source) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.URL, "url", cmp.Or(os.Getenv("GPUMETER_URL"), "http://"+defaultAddress), "collector to ask (environment: GPUMETER_URL)")
	f.StringVar(&s.TokenFile, "token-file", os.Getenv("GPUMETER_TOKEN_FILE"), "file with the bearer token (environment: GPUMETER_TOKEN_FILE)")
	f.StringVar(&s.CAFile, "ca-file", "", "file with the certificate authority of the collector")
	f.StringVar(&s.Data, "data", "", "data folder to open instead, when no collector holds it")
	f.StringVar(&s.Contracts, "contracts", "", "contract file, with --data")
	eitherFlag(cmd, "url", "data", "a collector to ask, or a data folder that none holds")
}

// mustHaveContracts refuses a data folder without a contract file, where
// nothing can be said without one.
func (s *source) mustHaveContracts() error {
	if s.Data != "" && s.Contracts == "" {
		return usageError{errors.New("--data needs --contracts: the contract file says what was bought")}
	}
	return nil
}

// contracts reads the contract file; without one there are none.
func (s *source) contracts() ([]contract.Contract, error) {
	if s.Contracts == "" {
		return nil, nil
	}
	return contractfile.Load(s.Contracts)
}

// open opens the data folder for f. It makes none.
func (s *source) open(ctx context.Context, write bool, f func(*duckdb.DB) error) error {
	if _, err := os.Stat(s.Data); err != nil { // a folder that is written would be made
		return fmt.Errorf("open data folder: %w", err)
	}
	st, err := duckdb.Open(ctx, s.Data, duckdb.Options{ReadOnly: !write})
	if err != nil {
		return err
	}
	return errors.Join(askError(f(st)), st.Close())
}

// askError marks an error of what was asked as one of usage.
func askError(err error) error {
	var wrong *collector.AskError
	if errors.As(err, &wrong) {
		return usageError{err}
	}
	return err
}

// ask asks the collector's API and reads its answer into a document. The answer
// itself is returned as well.
func (s *source) ask(ctx context.Context, path string, q url.Values, into any) (answer, error) {
	a, err := s.get(ctx, path, q)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return a, fmt.Errorf("read the answer of %s: %w", s.URL, err)
	}
	return a, nil
}

// answer is what a collector says.
type answer struct {
	body   []byte
	header http.Header
}

// reads refuses an answer of another schema than the program's.
func (s *source) reads(got, want string) error {
	if got != want {
		return fmt.Errorf("the collector at %s answers with schema %q, this program reads %q", s.URL, got, want)
	}
	return nil
}

// maxAnswer bounds what is read of a collector's answer.
const maxAnswer = 256 << 20

// get asks the collector's API.
func (s *source) get(ctx context.Context, path string, q url.Values) (answer, error) {
	if s.Contracts != "" {
		return answer{}, usageError{errors.New("--contracts goes with --data: a collector has its own")}
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" {
		return answer{}, usageError{fmt.Errorf("url %q is not of the form https://HOST:PORT", s.URL)}
	}
	u = u.JoinPath(path)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return answer{}, err
	}
	client, err := s.client(req)
	if err != nil {
		return answer{}, err
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("ask the collector at %s (%s): %w", s.URL, hint(err), errors.Unwrap(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("ask the collector at %s: %w", s.URL, err)
	}
	if res.StatusCode != http.StatusOK {
		return answer{}, answerError(s.URL, res, body)
	}
	return answer{body, res.Header}, nil
}

// client returns a client for the request, and puts the token on it.
func (s *source) client(req *http.Request) (*http.Client, error) {
	if s.TokenFile != "" {
		token, err := os.ReadFile(s.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	tr := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authority: %s holds no PEM certificate", s.CAFile)
		}
		tr.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: tr, Timeout: 5 * time.Minute}, nil
}

// remoteError is what a collector says instead of an answer.
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
	_ = json.Unmarshal(body, &e) // what is no JSON says nothing
	text := refusal(from, res.StatusCode, e.Error, body)
	switch err := (remoteError{res.StatusCode, text}); {
	case e.Error == "":
		return errors.New(text)
	case res.StatusCode == http.StatusBadRequest:
		return usageError{err}
	default:
		return err
	}
}

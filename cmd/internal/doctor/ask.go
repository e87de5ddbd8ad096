package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Target is a collector, and who asks it.
type Target struct {
	URL       string // https://HOST[:PORT][/PATH]
	TokenFile string // empty sends no token
	CAFile    string // empty trusts the authorities of the system
	// Agent asks as an agent does, with a post that holds nothing and changes
	// nothing; else as Prometheus does.
	Agent bool
}

// Answer is what came of asking a collector.
type Answer struct {
	Target Target
	// Err is why there is no answer at all. An error of what was asked, before
	// anybody was, is an *AskError.
	Err error
	// Status and Said are those of whoever answered; Said is a collector's own
	// sentence, or empty.
	Status int
	Said   string
	// Collector reports whether a collector answered.
	Collector bool
	// Page is what a reader gets: the collector's metrics.
	Page string
	// Expires is when the certificate ends; zero without TLS.
	Expires time.Time
	// Offset is how far this clock is ahead of the collector's, give or take
	// Doubt, where HasOffset.
	HasOffset     bool
	Offset, Doubt time.Duration
	At            time.Time
}

// AskError is what is wrong with the question: an address or a file.
type AskError struct {
	Err    error
	Remedy string
}

// Error returns the cause.
func (e *AskError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *AskError) Unwrap() error { return e.Err }

const (
	// askTimeout bounds a question with all that belongs to it.
	askTimeout = 10 * time.Second
	// maxPage bounds an answer.
	maxPage = 8 << 20
)

// Ask asks a collector one question. It changes nothing there.
func Ask(ctx context.Context, t Target) Answer {
	a := Answer{Target: t, At: time.Now()}
	req, client, err := question(ctx, t)
	if err != nil {
		a.Err = err
		return a
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	began := time.Now()
	res, err := client.Do(req.WithContext(ctx))
	if err != nil {
		a.Err = err
		return a
	}
	defer res.Body.Close()
	took := time.Since(began)
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		a.Err = err
		return a
	}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		a.Expires = res.TLS.PeerCertificates[0].NotAfter
	}
	a.Status = res.StatusCode
	a.read(res.Header, body, began, took)
	return a
}

// question makes the request and the client that fit a target.
func question(ctx context.Context, t Target) (*http.Request, *http.Client, error) {
	u, err := ParseURL(t.URL)
	if err != nil {
		return nil, nil, &AskError{err, "Give the address as https://HOST[:PORT]."}
	}
	method, path := http.MethodGet, "metrics"
	if t.Agent {
		method, path = http.MethodPost, "v1/usage"
	}
	req, err := http.NewRequestWithContext(ctx, method, u.JoinPath(path).String(), http.NoBody)
	if err != nil {
		return nil, nil, &AskError{err, ""}
	}
	if t.Agent {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	if t.TokenFile != "" {
		token, err := ReadToken(t.TokenFile)
		if errors.Is(err, fs.ErrPermission) {
			return nil, nil, &AskError{err, "Ask as root, or as a user who may read it."}
		}
		if err != nil {
			return nil, nil, &AskError{err, "Name a file with the token, and nothing else in it."}
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client, err := newClient(t.CAFile)
	return req, client, err
}

// ParseURL reads the address of a server that is sent a token, which goes over a
// network in TLS only: plain http is for loopback.
func ParseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil && strings.Contains(s, "@") {
		return nil, errors.New("address: want https://HOST[:PORT][/PATH]") // there may be a password in it
	}
	if err != nil {
		return nil, fmt.Errorf("address %q: want https://HOST[:PORT][/PATH]", s)
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("address %q: want https://HOST[:PORT][/PATH]", u.Redacted())
	case u.Scheme == "http" && !loopback:
		return nil, fmt.Errorf("address %q: plain http goes to loopback only (use https)", u.Redacted())
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("address %q: the scheme is neither https nor http", u.Redacted())
	}
	return u, nil
}

// maxToken bounds a token's file.
const maxToken = 64 << 10

// ReadToken reads a token: one word in a file.
func ReadToken(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", fmt.Errorf("read token: %s holds no token: want one word of plain characters", file)
	}
	return token, nil
}

// newClient follows no redirect: the token goes to the address that was given
// and nowhere else.
func newClient(ca string) (*http.Client, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, &AskError{fmt.Errorf("read certificate authority: %w", err), "Name the file with the collector's authority, PEM, with --ca-file."}
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &AskError{fmt.Errorf("read certificate authority: %s has no certificate in PEM", ca), "Name the file with the collector's authority, PEM, with --ca-file."}
		}
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: t, MaxResponseHeaderBytes: 64 << 10},
	}, nil
}

// read takes what an answer says.
func (a *Answer) read(h http.Header, body []byte, began time.Time, took time.Duration) {
	var v struct {
		Error        string `json:"error"`
		StoreID      string `json:"store_id"`
		ServerTimeMs int64  `json:"server_time_ms"`
	}
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if kind == "application/json" && json.Unmarshal(body, &v) == nil {
		a.Said, a.Collector = v.Error, v.Error != "" || v.StoreID != ""
	}
	if !a.Target.Agent && a.Status == http.StatusOK {
		a.Page = string(body)
		a.Collector = strings.Contains(a.Page, "\ngpumeter_collector_info{")
	}
	middle := began.Add(took / 2)
	if v.ServerTimeMs > 0 {
		a.HasOffset, a.Offset, a.Doubt = true, middle.Sub(time.UnixMilli(v.ServerTimeMs)), took/2+time.Millisecond
	} else if date, err := http.ParseTime(h.Get("Date")); err == nil && a.Collector {
		// The header leaves the part of a second out.
		a.HasOffset, a.Offset, a.Doubt = true, middle.Sub(date.Add(time.Second/2)), took/2+time.Second/2
	}
}

// trouble is one row of the table of why nobody answers.
type trouble struct {
	is     func(error) bool
	remedy string
}

// isA reports whether an error is of a type.
func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

var troubles = []trouble{
	{isA[*net.DNSError], "Check the name, and whether this machine's resolver knows it."},
	{refused, "Check that the collector runs, that it listens on this address (by default on loopback only, see --listen), and the port."},
	{isA[x509.UnknownAuthorityError], "Name the file with the authority that signed the collector's certificate with --ca-file."},
	{isA[x509.HostnameError], "Ask for the collector by a name in its certificate, or give it a certificate with this name."},
	{isA[x509.CertificateInvalidError], "Renew the collector's certificate; if it is good, this machine's clock is wrong."},
	{schemeMismatch, "The collector speaks plain HTTP there: ask with http:// on loopback, or give it --tls-cert and --tls-key."},
	{timedOut, "Check what lies between: a firewall, a security group, a network policy, a proxy in the environment."},
}

const remedyElse = "Check the address, and what lies between."

// Find says whether a collector answered.
func (a *Answer) Find() Finding {
	where := plainURL(a.Target.URL)
	if wrong, ok := errors.AsType[*AskError](a.Err); ok {
		return Bad("The collector was not asked: "+wrong.Error()+".", wrong.Remedy)
	}
	if a.Err != nil {
		cause := a.Err
		if u, ok := errors.AsType[*url.Error](a.Err); ok {
			cause = u.Err
		}
		remedy := remedyElse
		for _, t := range troubles {
			if t.is(cause) {
				remedy = t.remedy
				break
			}
		}
		return Bad(fmt.Sprintf("Nobody answers at %s: %v.", where, cause), remedy)
	}
	switch {
	case a.Status == http.StatusBadRequest && !a.Collector:
		return Bad(fmt.Sprintf("What answers at %s takes no plain HTTP, or is no collector: status 400.", where), "Ask with https://.")
	case !a.Collector:
		return Bad(fmt.Sprintf("What answers at %s is no collector: status %d.", where, a.Status), "Check the address, the port and the path; a proxy in between may answer too.")
	case a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable:
		return Warn(fmt.Sprintf("The collector at %s is busy: %s.", where, cmp.Or(a.Said, "status "+http.StatusText(a.Status))), "Agents keep what they metered and send it later; ask again in a minute, and look into the collector's log.")
	case a.Status >= http.StatusInternalServerError:
		return Bad(fmt.Sprintf("The collector at %s is in trouble: %s.", where, cmp.Or(a.Said, "status "+http.StatusText(a.Status))), "Look into the collector's log.")
	}
	return Ok(fmt.Sprintf("The collector at %s answers.", where))
}

func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && strings.Contains(err.Error(), "refused")
}

func schemeMismatch(err error) bool {
	return errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

func timedOut(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// plainURL is an address without what could be a password.
func plainURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "an address that is none"
	}
	return u.Redacted()
}

// Answered reports whether a collector answered, so that there is something to
// say of tokens and certificates.
func (a *Answer) Answered() bool { return a != nil && a.Err == nil && a.Collector }

// FindToken says whether the collector takes the token.
func (a *Answer) FindToken() Finding {
	kind, flag := "readers", "--read-tokens"
	if a.Target.Agent {
		kind, flag = "agents", "--agent-tokens"
	}
	switch {
	case !a.Answered():
		return Leave("No collector answered: the token was not tried.")
	case a.Status == http.StatusUnauthorized && a.Target.TokenFile == "":
		return Bad("The collector wants a token, and none is given.", "Name a file with one of the collector's tokens for "+kind+" with --token-file.")
	case a.Status == http.StatusUnauthorized:
		return Bad(fmt.Sprintf("The collector does not know the token in %s.", a.Target.TokenFile), "Take one of the collector's tokens for "+kind+" (its "+flag+"); restart the collector after adding one.")
	case a.Status == http.StatusForbidden:
		return Bad(fmt.Sprintf("The token in %s is not one for %s.", a.Target.TokenFile, kind), "Take one of the collector's tokens for "+kind+" (its "+flag+").")
	case a.Target.TokenFile == "":
		return Ok("The collector asks for no token.")
	}
	return Ok("The collector takes the token.")
}

// soon is how long before its end a certificate is a warning.
const soon = 21 * 24 * time.Hour

// FindCertificate says how long the collector's certificate is good for.
func (a *Answer) FindCertificate() Finding {
	switch {
	case !a.Answered():
		return Leave("No collector answered: its certificate was not seen.")
	case a.Expires.IsZero():
		return Leave("Plain HTTP, on loopback only: there is no certificate.")
	}
	day := a.Expires.UTC().Format(time.DateOnly)
	if a.Expires.Sub(a.At) < soon {
		return Warn("The collector's certificate ends on "+day+".", "Renew it; the collector reads changed files without a restart.")
	}
	return Ok("The collector's certificate is good until " + day + ".")
}

package influx

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/exporters"
)

// maxAnswer is how much of a server's answer is read, in bytes.
const maxAnswer = 4 << 10

// server is a sink that has the write endpoint of InfluxDB 1 or 2.
type server struct {
	cfg    Config
	url    string
	client *http.Client
	zip    *gzip.Writer // of pack
}

func newServer(cfg Config) (*server, error) {
	u, err := cfg.Parse()
	if err != nil {
		return nil, err
	}
	q := url.Values{}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	switch {
	case (cfg.Database == "") == (cfg.Bucket == ""):
		return nil, errors.New("want a database (InfluxDB 1) or a bucket (InfluxDB 2)")
	case cfg.Bucket != "":
		u = u.JoinPath("api", "v2", "write")
		set("org", cfg.Org)
		set("bucket", cfg.Bucket)
		set("precision", string(cfg.Precision))
	default:
		u = u.JoinPath("write")
		set("db", cfg.Database)
		set("rp", cfg.RetentionPolicy)
		set("precision", map[Precision]string{Nanosecond: "ns", Microsecond: "u", Millisecond: "ms", Second: "s"}[cfg.Precision])
	}
	if cfg.TokenFile != "" && cfg.User != "" {
		return nil, errors.New("want a user with a password or a token, not both")
	}
	if (cfg.User == "") != (cfg.PasswordFile == "") {
		return nil, errors.New("a user and a password file come together")
	}
	u.RawQuery = q.Encode()
	client, err := cfg.Client(cfg.Timeout)
	if err != nil {
		return nil, err
	}
	s := &server{cfg: cfg, url: u.String(), client: client, zip: gzip.NewWriter(nil)}
	return s, s.authorize(http.Header{})
}

// authorize puts the secret into a request's header.
func (s *server) authorize(h http.Header) error {
	switch {
	case s.cfg.TokenFile != "":
		token, err := exporters.Secret(s.cfg.TokenFile)
		if err != nil {
			return err
		}
		h.Set("Authorization", "Token "+token)
	case s.cfg.User != "":
		password, err := exporters.Secret(s.cfg.PasswordFile)
		if err != nil {
			return err
		}
		r := http.Request{Header: h}
		r.SetBasicAuth(s.cfg.User, password)
	}
	return nil
}

// pack compresses: what waits costs memory, and what goes costs the network.
func (s *server) pack(b batch) batch {
	var out bytes.Buffer
	s.zip.Reset(&out)
	_, _ = s.zip.Write(b.body) // a Buffer takes everything
	_ = s.zip.Close()
	b.body = out.Bytes()
	return b
}

func (s *server) close() { s.client.CloseIdleConnections() }

func (s *server) write(ctx context.Context, b batch) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(b.body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	r.Header.Set("Content-Encoding", "gzip")
	if err := s.authorize(r.Header); err != nil {
		return err
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // only for the message
	return s.judge(resp, answer)
}

// judge says what an answer means for the batch.
func (s *server) judge(resp *http.Response, answer []byte) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err := fmt.Errorf("write lines: the server says %s: %s", resp.Status, exporters.Brief(string(answer)))
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusTooManyRequests:
		// A secret, a permission or a database can be put right while lines wait.
	default:
		if resp.StatusCode/100 == 4 {
			return &refused{err}
		}
	}
	if d := retryAfter(resp.Header, s.cfg.Now()); d > 0 {
		return &later{err, d}
	}
	return err
}

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseUint(v, 10, 32); err == nil {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// perRequest bounds one request, connection and body included.
	perRequest = time.Second
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 64 << 10
	// linkLocal is where metadata services listen.
	linkLocal = "169.254.169.254:80"
	// base is where they are asked, whatever address is dialled.
	base = "http://169.254.169.254"
)

// errAbsent is the answer 404: this instance has no such value.
var errAbsent = errors.New("not there")

// dial is net.Dialer.DialContext.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

// door is the only way out to a metadata service. It reads every answer whole
// before it hands it on, so that one deadline covers all of a request, and it
// makes an error of a redirect before any client can follow it.
type door struct {
	next  http.RoundTripper
	limit int64
	// mark is a header that every answer must have; empty for none.
	mark, value string
}

// newDoor returns a client that connects to the given addresses and nowhere
// else, heeds no proxy, follows no redirect and unpacks nothing.
func newDoor(d dial, addresses []string, mark, value string) *http.Client {
	return &http.Client{
		Transport: &door{limit: maxAnswer, mark: mark, value: value, next: &http.Transport{
			DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dialFirst(ctx, d, addresses) },
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConnsPerHost:    1,
		}},
	}
}

// perAddress is how long an address may take to connect while another is left:
// it is on the same host.
const perAddress = 300 * time.Millisecond

// dialFirst connects to the first address that answers.
func dialFirst(ctx context.Context, d dial, addresses []string) (net.Conn, error) {
	var wrong []error
	for i, a := range addresses {
		try, cancel := ctx, context.CancelFunc(func() {})
		if i < len(addresses)-1 {
			try, cancel = context.WithTimeout(ctx, perAddress)
		}
		c, err := d(try, "tcp", a)
		cancel()
		if err == nil {
			return c, nil
		}
		wrong = append(wrong, err)
	}
	return nil, errors.Join(wrong...)
}

// RoundTrip implements http.RoundTripper. It may be called concurrently.
func (d *door) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), perRequest)
	defer cancel()
	resp, err := d.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, fmt.Errorf("answer redirects (status %d)", resp.StatusCode)
	}
	if d.mark != "" && resp.Header.Get(d.mark) != d.value {
		return nil, fmt.Errorf("answer lacks the header %s: %s", d.mark, d.value)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, d.limit+1))
	if err == nil {
		// A server that sees us leave may end its answer in good order, just
		// before the connection is closed: it is half an answer all the same.
		err = ctx.Err()
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("read answer: %w", err)
	case int64(len(body)) > d.limit:
		return nil, fmt.Errorf("answer is longer than %d KiB", d.limit>>10)
	case resp.StatusCode == http.StatusOK && isHTML(resp.Header, body):
		return nil, errors.New("answer is HTML")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// CloseIdleConnections closes the connections that wait for another request.
func (d *door) CloseIdleConnections() {
	if c, ok := d.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// isHTML reports whether an answer is a page for people, as from a portal that
// catches every request.
func isHTML(h http.Header, body []byte) bool {
	return strings.Contains(h.Get("Content-Type"), "html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// get returns the body of an answer.
func get(ctx context.Context, c *http.Client, url, header, value string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(header, value)
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return io.ReadAll(resp.Body)
	case http.StatusNotFound:
		return nil, fmt.Errorf("ask %s: %w", req.URL.Path, errAbsent)
	}
	return nil, fmt.Errorf("ask %s: status %d", req.URL.Path, resp.StatusCode)
}

// optional returns nil for what an instance need not have.
func optional(err error) error {
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

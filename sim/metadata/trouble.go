package metadata

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"
)

// Trouble is what can be wrong with a service.
type Trouble string

// Troubles, by what the client sees.
const (
	NoToken      Trouble = "no token"      // the token's path is not there, as with version 1 only
	Unauthorized Trouble = "unauthorized"  // 401 to everything
	Unavailable  Trouble = "unavailable"   // 503 to everything
	Loud         Trouble = "loud"          // 400 with a body of 60 kB to everything
	Slow         Trouble = "slow"          // no answer for a minute
	Sluggish     Trouble = "sluggish"      // every answer right, and late by 900 ms
	Drip         Trouble = "drip"          // a body that never ends, byte by byte
	Empty        Trouble = "empty"         // 200 and nothing
	Redirect     Trouble = "redirect"      // to another host
	HTML         Trouble = "html"          // a portal's page, with status 200
	Flood        Trouble = "flood"         // ten megabytes
	Garbage      Trouble = "garbage"       // bytes that mean nothing
	Braces       Trouble = "braces"        // a valid answer that says nothing
	Hostile      Trouble = "hostile"       // values that are not fit for logs and labels
	NoFlavor     Trouble = "wrong flavour" // without the header that marks the service
)

// Troubles lists those that leave nothing to be known.
func Troubles() []Trouble {
	return []Trouble{NoToken, Unauthorized, Unavailable, Loud, Slow, Drip, Empty, Redirect, HTML, Flood, Garbage, Braces, Hostile, NoFlavor}
}

// floodBytes is far beyond what any document has.
const floodBytes = 10 << 20

// With returns a service in trouble.
func With(t Trouble, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch t {
		case NoToken:
			if strings.HasSuffix(req.URL.Path, "/api/token") {
				http.NotFound(w, req)
				return
			}
			next.ServeHTTP(w, req)
		case Unauthorized:
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
		case Unavailable:
			http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		case Loud:
			w.Header().Set("Metadata-Flavor", "Google")
			http.Error(w, strings.Repeat("\xff no", 15_000), http.StatusBadRequest)
		case Slow:
			wait(req, time.Minute)
		case Sluggish:
			if wait(req, 900*time.Millisecond) {
				next.ServeHTTP(w, req)
			}
		case Drip:
			drip(w, req)
		case Redirect:
			http.Redirect(w, req, "http://collector.example/latest/", http.StatusFound)
		case NoFlavor:
			next.ServeHTTP(&unmarked{w}, req)
		default:
			spoken(w, req, bodies[t])
		}
	})
}

// bodies are what a service says to every request, whatever it is for.
var bodies = map[Trouble]func() io.Reader{
	Empty:   func() io.Reader { return strings.NewReader("") },
	HTML:    func() io.Reader { return strings.NewReader("<!DOCTYPE html><html><body>Sign in</body></html>") },
	Flood:   func() io.Reader { return io.LimitReader(zeros{}, floodBytes) },
	Garbage: func() io.Reader { return bytes.NewReader([]byte{0xff, 0xfe, 0x00, 0x1b, 0x5b, 0x32, 0x4a}) },
	Braces:  func() io.Reader { return strings.NewReader("{}") },
	Hostile: func() io.Reader { return strings.NewReader(hostile) },
}

// hostile is a document of every cloud at once, with values of each kind that
// must not travel on.
var hostile = `{"accountId":"1\n2","instanceId":"i-1` + `\u001b[2J","instanceType":"` + strings.Repeat("x", 4000) + `",
"vmId":"<script>","subscriptionId":"{}","id":"\"; DROP TABLE","tenantId":"a\u0000b","parent_id":"\u202e","shape":"é"}`

// spoken sends a body with every header that a client may want to see.
func spoken(w http.ResponseWriter, req *http.Request, body func() io.Reader) {
	w.Header().Set("Metadata-Flavor", "Google")
	w.Header().Set("X-aws-ec2-metadata-token-ttl-seconds", "300")
	w.Header().Set("Content-Type", "application/json")
	if req.Method == http.MethodPut {
		_, _ = io.WriteString(w, awsToken)
		return
	}
	_, _ = io.Copy(w, body())
}

func drip(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	for range 600 {
		if _, err := w.Write([]byte("{")); err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		if !wait(req, 100*time.Millisecond) {
			return
		}
	}
}

// wait returns false if the client left before.
func wait(req *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-req.Context().Done():
		return false
	case <-t.C:
		return true
	}
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// unmarked is a response without Google's mark.
type unmarked struct{ http.ResponseWriter }

func (u *unmarked) WriteHeader(code int) {
	u.Header().Del("Metadata-Flavor")
	u.ResponseWriter.WriteHeader(code)
}

func (u *unmarked) Write(p []byte) (int, error) {
	u.Header().Del("Metadata-Flavor")
	return u.ResponseWriter.Write(p)
}

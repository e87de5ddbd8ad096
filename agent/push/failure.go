package push

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Reason names why a request did not succeed. It is a label value, so its
// words are part of the interface.
type Reason string

// Reasons of failures.
const (
	ReasonNetwork      Reason = "network"      // no answer
	ReasonUnauthorized Reason = "unauthorized" // 401, 403
	ReasonNotFound     Reason = "not_found"    // 404: a wrong address
	ReasonTooLarge     Reason = "too_large"    // 413
	ReasonMalformed    Reason = "malformed"    // 400, said by a collector
	ReasonBusy         Reason = "busy"         // 429, 503
	ReasonServer       Reason = "server"       // other 5xx
	ReasonUnexpected   Reason = "unexpected"   // any other status
	ReasonAnswer       Reason = "answer"       // 200, but not the answer to what was sent
	ReasonToken        Reason = "token"        // the token file
	ReasonSource       Reason = "source"       // the spool
)

// Reasons lists all reasons, in the order of their declaration.
func Reasons() []Reason {
	return []Reason{ReasonNetwork, ReasonUnauthorized, ReasonNotFound, ReasonTooLarge, ReasonMalformed, ReasonBusy,
		ReasonServer, ReasonUnexpected, ReasonAnswer, ReasonToken, ReasonSource}
}

// Failure is why a request did not succeed.
type Failure struct {
	Reason Reason
	// RetryAfter is how long the collector asks to wait; 0 if it does not.
	RetryAfter time.Duration
	Err        error
	// verdict is true if the answer is a collector's own.
	verdict bool
}

// ofSize reports whether fewer batches in a request may do better.
func (f *Failure) ofSize() bool { return f.Reason == ReasonTooLarge || f.Reason == ReasonMalformed }

// Error returns the cause.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// statusReasons are the statuses that mean something of their own.
var statusReasons = map[int]Reason{
	http.StatusUnauthorized:          ReasonUnauthorized,
	http.StatusForbidden:             ReasonUnauthorized,
	http.StatusNotFound:              ReasonNotFound,
	http.StatusRequestEntityTooLarge: ReasonTooLarge,
	http.StatusTooManyRequests:       ReasonBusy,
	http.StatusServiceUnavailable:    ReasonBusy,
}

// refusal makes a failure of an answer other than 200. That a request is
// malformed is believed only of a collector: a server that was never meant may
// say so of everything.
func refusal(res *http.Response, body []byte, now time.Time) *Failure {
	sentence, ours := verdict(res.Header, body)
	f := &Failure{
		Reason: ReasonUnexpected, RetryAfter: retryAfter(res.Header, now),
		Err: errors.New("collector answers " + res.Status), verdict: ours,
	}
	if ours {
		f.Err = fmt.Errorf("collector answers %s: %q", res.Status, sentence)
	}
	switch r, known := statusReasons[res.StatusCode]; {
	case known:
		f.Reason = r
	case res.StatusCode == http.StatusBadRequest && ours:
		f.Reason = ReasonMalformed
	case res.StatusCode >= 500:
		f.Reason = ReasonServer
	}
	return f
}

package collector

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// Tokens say who may do what. Agents may send usage; readers may see reports
// and metrics. Without readers' tokens the agents' open everything, which is
// fit for a small site only: every node can then read the prices.
type Tokens struct {
	Agents, Readers []string
}

// minToken is the length below which a token can be guessed.
const minToken = 16

// ReadTokens reads tokens from a file: one a line, so that a new one can be
// brought in before the old one goes. Empty lines and lines that begin with #
// are left out.
func ReadTokens(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	var out []string
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < minToken || strings.ContainsAny(line, " \t") {
			return nil, fmt.Errorf("read tokens: %s:%d: a token has at least %d characters and no spaces", path, i+1, minToken)
		}
		out = append(out, line)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read tokens: %s holds none", path)
	}
	return out, nil
}

var (
	errNoToken    = errors.New("a bearer token is needed")
	errWrongToken = errors.New("the token is not known")
	errNotAllowed = errors.New("the token does not allow this")
)

// allow lets requests through that carry one of the tokens. A token among
// others is known, but not allowed here.
func allow(tokens, others []string, next http.HandlerFunc) http.HandlerFunc {
	if len(tokens) == 0 {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		token := tokenOf(r)
		switch {
		case token == "":
			// Browsers ask for a password upon Basic.
			w.Header().Add("WWW-Authenticate", `Bearer realm="gpumeter"`)
			w.Header().Add("WWW-Authenticate", `Basic realm="gpumeter", charset="UTF-8"`)
			writeError(w, http.StatusUnauthorized, errNoToken)
		case isOneOf(token, tokens):
			next(w, r)
		case isOneOf(token, others):
			writeError(w, http.StatusForbidden, errNotAllowed)
		default:
			w.Header().Add("WWW-Authenticate", `Basic realm="gpumeter", charset="UTF-8"`)
			writeError(w, http.StatusUnauthorized, errWrongToken)
		}
	}
}

// tokenOf returns the token of a request: the bearer token, or the password
// of basic authentication, which is what browsers can send.
func tokenOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// isOneOf compares in a time that depends on no token.
func isOneOf(token string, tokens []string) bool {
	got := sha256.Sum256([]byte(token))
	found := 0
	for _, t := range tokens {
		want := sha256.Sum256([]byte(t))
		found |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return found == 1
}

// readers are the tokens that open reports, and those that are known but do
// not.
func (t Tokens) readers() (tokens, others []string) {
	if len(t.Readers) == 0 {
		return t.Agents, nil
	}
	return t.Readers, t.Agents
}

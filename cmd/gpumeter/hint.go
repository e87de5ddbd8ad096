package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// hints is the table of why a collector could not be asked, and what to do. The
// first that fits counts.
var hints = []struct {
	is func(error) bool
	do string
}{
	{isErr[x509.UnknownAuthorityError], "name the file with the authority of its certificate with --ca-file"},
	{isErr[x509.HostnameError], "ask by a name that its certificate has"},
	{isErr[x509.CertificateInvalidError], "renew its certificate; if that is good, this clock is wrong"},
	{isErr[*net.DNSError], "is the name right?"},
	{speaksPlain, "it speaks plain HTTP there: ask with http://"},
}

// isErr reports whether an error is of a type.
func isErr[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

func speaksPlain(err error) bool {
	return errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// hint says what to do about a collector that does not answer.
func hint(err error) string {
	for _, h := range hints {
		if h.is(err) {
			return h.do
		}
	}
	return "does it run there? --data opens a folder without it"
}

// refusal is what a collector, or something in its place, answers with an error:
// its own sentence and what to do about it, where that is known.
func refusal(url string, status int, said string, body []byte) string {
	switch {
	case said != "" && status == http.StatusUnauthorized:
		return said + " (name a file with a reader's with --token-file)"
	case said != "" && status == http.StatusForbidden:
		return said + " (--token-file wants a reader's: one of the collector's --read-tokens)"
	case said != "":
		return said
	case status == http.StatusBadRequest && bytes.Contains(body, []byte("HTTP request to an HTTPS server")):
		return fmt.Sprintf("ask the collector at %s: it speaks TLS there (ask with https://)", url)
	case status == http.StatusNotFound:
		return fmt.Sprintf("ask the collector at %s: %d %s (is it a collector, and of this version?)", url, status, http.StatusText(status))
	}
	return fmt.Sprintf("ask the collector at %s: %d %s", url, status, http.StatusText(status))
}

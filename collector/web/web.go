// Package web makes the collector's page: a report as HTML, with charts as
// inline SVG and a table beside each.
//
// The page needs no JavaScript, nothing from elsewhere and no second request.
// Every figure on it is the report's; it computes shares and widths only.
package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// Page is what one request is answered with.
type Page struct {
	// Report is what to show; nil where there is none, and then Problem says
	// why, in one sentence.
	Report  *contract.Report
	Problem string
	// NoData says that the Problem is that nothing is stored of the period.
	NoData bool
	// HasContracts says that the contract file has contracts.
	HasContracts bool
	Now          time.Time
	Version      string
	// Query is the request's: it is repeated in the links to the other forms
	// of the report.
	Query url.Values
}

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	style string

	page = template.Must(template.New("page").Parse(pageText))
)

// Policy returns the Content-Security-Policy that the page is served with: it
// lets the page have its own style sheet, known by its hash, and nothing else.
func Policy() string {
	hash := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// Write writes the page as HTML. Nothing is written if it cannot be made.
func (p Page) Write(w io.Writer) error {
	var b bytes.Buffer
	if err := page.Execute(&b, p.view()); err != nil {
		return fmt.Errorf("make page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// Package web makes the collector's pages as HTML: the report, spend and claims,
// with charts as inline SVG and their figures beside each.
//
// A page needs no JavaScript, nothing from elsewhere and no second request.
// Every figure on it is the report's; it computes shares and widths only.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
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
	// Awaited says that GPUs were seen, and that there is a report of them soon.
	Awaited bool
	// HasContracts says that the contract file has contracts.
	HasContracts bool
	Now          time.Time
	Version      string
	// Query is the request's: it is repeated in the links to the other forms
	// of the report.
	Query url.Values
}

var (
	//go:embed layout.html page.html spend.html claims.html
	files embed.FS
	//go:embed style.css
	style string

	pages = template.Must(template.ParseFS(files, "*.html"))
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
	return write(w, "page.html", p.view())
}

// write makes a page of a view. Nothing is written if it cannot be made.
func write(w io.Writer, name string, view any) error {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, view); err != nil {
		return fmt.Errorf("make page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// frame is what is around every page.
type frame struct {
	Style          template.CSS
	Title, Version string
	Pages          []pageLink
	// Month is what is shown, of pages that are of months; Next is empty where
	// it would lie in the future.
	Month, Prev, Next string
	Keep              template.URL // what a link to another period keeps
	Spans             bool         // there are links to the last days
	AsOf              string
}

type pageLink struct {
	Name, Path string
	Shown      bool
}

// framed returns the frame of a page.
func framed(shown, version string) frame {
	f := frame{Style: template.CSS(style), Version: version} //nolint:gosec // our own file
	for _, p := range []pageLink{{"Report", "./", false}, {"Spend", "spend", false}, {"Claims", "claims", false}} {
		p.Shown = p.Name == shown
		f.Pages = append(f.Pages, p)
	}
	return f
}

// Package web makes the collector's page.
package web

import (
	"io"
	"net/url"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

type Page struct {
	Report       *contract.Report
	Version      string
	Now          time.Time
	HasContracts bool
	NoData       bool
	Problem      string
	Query        url.Values
}

func (p Page) Write(w io.Writer) error { return nil }

func Policy() string { return "" }

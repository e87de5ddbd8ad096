package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/exporters/prom/dcgm"
)

// dcgmConfig says how the GPUs are shown in dcgm-exporter's words.
type dcgmConfig struct {
	Names    string `yaml:"names"`
	Hostname string `yaml:"hostname"`
	Counters string `yaml:"counters"`
	OwnNames bool   `yaml:"own_names"`

	counters []dcgm.Counter // of the file
}

// dcgmOff is the word of --dcgm-names that shows nothing.
const dcgmOff = "off"

func (c *dcgmConfig) flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Names, "dcgm-names", dcgmOff, "show the GPUs under dcgm-exporter's names too: off, old (up to 4.8), new (DCGM 4.6), both, or base (4.9, in base units)")
	fs.StringVar(&c.Hostname, "dcgm-hostname", string(dcgm.BothHostnames), "spelling of that label there: Hostname (up to 4.8.2), hostname or both")
	fs.StringVar(&c.Counters, "dcgm-counters", "", "dcgm-exporter's counter file, which selects what is shown there (default: what dcgm-exporter has by default)")
	fs.BoolVar(&c.OwnNames, "own-names", true, "show our own names on /metrics; without them dcgm-exporter's stand there alone")
}

// validate reads the counter file, and says what is wrong with it or with
// settings that only make sense together.
func (c *dcgmConfig) validate() error {
	switch {
	case c.Names == dcgmOff && !c.OwnNames:
		return errors.New("own-names is off and so is dcgm-names: nothing would be left")
	case c.Names == dcgmOff && c.Counters != "":
		return errors.New("dcgm-counters is given, but dcgm-names is off")
	case c.Names == dcgmOff:
		return nil
	}
	if err := cmp.Or(dcgm.Names(c.Names).Check(), dcgm.Hostname(c.Hostname).Check()); err != nil || c.Counters == "" {
		return err
	}
	f, err := os.Open(c.Counters)
	if err != nil {
		return fmt.Errorf("dcgm-counters: %w", err)
	}
	defer f.Close()
	c.counters, err = dcgm.ReadCounters(c.Counters, f)
	return err
}

// groups returns the groups of metrics that the counter file needs.
func (c *dcgmConfig) groups() []string {
	var out []string
	for _, counter := range c.counters {
		for i := range nvml.Table {
			d := &nvml.Table[i].Desc
			if d.Group != "" && (counter.Field == d.DCGM || counter.Field == d.DCGMOld) && !slices.Contains(out, d.Group) {
				out = append(out, d.Group)
			}
		}
	}
	return out
}

// new returns what shows the GPUs in dcgm-exporter's words; nil if nothing does.
func (c *dcgmConfig) new(snapshot func() exporters.Snapshot, log *slog.Logger) (*dcgm.Exporter, error) {
	if c.Names == dcgmOff {
		return nil, nil
	}
	known := slices.Concat(meter.Descs(), exporters.State())
	for _, table := range [][]nvml.Row{nvml.Table, nvml.InstanceTable} {
		for i := range table {
			known = append(known, &table[i].Desc)
		}
	}
	return dcgm.New(dcgm.Options{
		Snapshot: snapshot, Known: known, Names: dcgm.Names(c.Names), Hostname: dcgm.Hostname(c.Hostname), Counters: c.counters, Log: log,
	})
}

// handle serves own on /metrics, with dcgm-exporter's names behind it or in its
// place. They are on a page of their own too, for servers that know what they
// want.
func (c *dcgmConfig) handle(mux *http.ServeMux, own http.Handler, d *dcgm.Exporter) {
	if d == nil {
		mux.Handle("GET /metrics", own)
		return
	}
	if !c.OwnNames {
		own = nil
	}
	mux.Handle("GET /metrics", prom.WithText(own, d))
	mux.Handle("GET /dcgm/metrics", prom.WithText(nil, d))
}

//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/influx"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// line is one line of the protocol, as its owners' decoder reads it.
type line struct {
	measurement string
	tags        map[string]string
	fields      map[string]string // as JSON
	at          time.Time
}

func (l *line) key() string {
	key := l.measurement
	for _, k := range sorted(l.tags) {
		key += "\x00" + k + "\x00" + l.tags[k]
	}
	return fmt.Sprint(key, "\x00", l.at.UnixNano())
}

// write sends a snapshot, and returns the lines as a stream would get them.
func write(t *testing.T, cfg influx.Config, s exporters.Snapshot) []line {
	t.Helper()
	cfg.Snapshot = func() exporters.Snapshot { return s }
	var out bytes.Buffer
	for _, c := range []influx.Config{cfg, {Writer: &out, Layout: cfg.Layout, Snapshot: cfg.Snapshot}} {
		e, err := influx.New(c)
		if err != nil {
			t.Fatal(err)
		}
		once(t, e.Run)
		noLosses(t, e.Readings())
	}
	return decode(t, out.Bytes())
}

func decode(t *testing.T, body []byte) []line {
	t.Helper()
	var out []line
	d := lineprotocol.NewDecoderWithBytes(body)
	for d.Next() {
		m, err := d.Measurement()
		l := line{measurement: string(m), tags: map[string]string{}, fields: map[string]string{}}
		for err == nil {
			var k, v []byte
			if k, v, err = d.NextTag(); k == nil {
				break
			}
			l.tags[string(k)] = string(v)
		}
		for err == nil {
			var k []byte
			var v lineprotocol.Value
			if k, v, err = d.NextField(); k == nil {
				break
			}
			text, _ := json.Marshal(v.Interface())
			l.fields[string(k)] = string(text)
		}
		if err == nil {
			l.at, err = d.Time(lineprotocol.Nanosecond, time.Time{})
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// influxDB is an InfluxDB 1 of the test's own that wants a password.
type influxDB struct{ url, passwordFile string }

const influxConfig = `reporting-disabled = true
bind-address = %q
[meta]
  dir = %q
[data]
  dir = %q
  wal-dir = %q
[http]
  bind-address = %q
  auth-enabled = true
  log-enabled = false
[monitor]
  store-enabled = false
`

func startInflux(t *testing.T) influxDB {
	t.Helper()
	folder := t.TempDir()
	addr := address(t)
	db := influxDB{"http://" + addr, filepath.Join(folder, "password")}
	config := fmt.Sprintf(influxConfig, address(t), filepath.Join(folder, "meta"), filepath.Join(folder, "data"), filepath.Join(folder, "wal"), addr)
	for name, text := range map[string]string{"influxdb.conf": config, "password": "hunter2"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	serve(t, db.url+"/ping", "influxd", "-config", filepath.Join(folder, "influxdb.conf"))
	db.query(t, "", `CREATE USER meter WITH PASSWORD 'hunter2' WITH ALL PRIVILEGES`)
	return db
}

// series is a part of InfluxDB's answer.
type series struct {
	Name    string
	Tags    map[string]string
	Columns []string
	Values  [][]json.RawMessage
}

func (db influxDB) query(t *testing.T, name, q string) []series {
	t.Helper()
	form := url.Values{"db": {name}, "q": {q}, "epoch": {"ns"}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, db.url+"/query?"+form.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("meter", "hunter2")
	var answer struct {
		Results []struct {
			Series  []series
			Error   string
			Partial bool
		}
	}
	if err := json.Unmarshal(ask(t, r), &answer); err != nil {
		t.Fatal(err)
	}
	if x := answer.Results[0]; x.Error != "" || x.Partial {
		t.Fatalf("%s: %s, partial %v", q, x.Error, x.Partial)
	}
	return answer.Results[0].Series
}

// lines returns all that a database has.
func (db influxDB) lines(t *testing.T, name string) map[string]line {
	t.Helper()
	out := map[string]line{}
	for _, s := range db.query(t, name, `SELECT * FROM /.*/ GROUP BY *`) {
		for _, values := range s.Values {
			l := line{measurement: s.Name, tags: map[string]string{}, fields: map[string]string{}}
			for k, v := range s.Tags {
				if v != "" { // a tag that other lines of the measurement have
					l.tags[k] = v
				}
			}
			for i, c := range s.Columns {
				if c == "time" {
					ns, err := strconv.ParseInt(string(values[i]), 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					l.at = time.Unix(0, ns)
				} else if string(values[i]) != "null" {
					l.fields[c] = string(values[i])
				}
			}
			out[l.key()] = l
		}
	}
	return out
}

func TestInfluxDBTakesEveryLine(t *testing.T) {
	db := startInflux(t)
	for _, layout := range []influx.Layout{influx.LayoutGpumeter, influx.LayoutTelegraf} {
		t.Run(string(layout), func(t *testing.T) {
			name := string(layout)
			db.query(t, "", "CREATE DATABASE "+name)
			want := write(t, influx.Config{Target: exporters.Target{URL: db.url}, Database: name, User: "meter", PasswordFile: db.passwordFile, Layout: layout}, node(t))
			have := db.lines(t, name)
			if len(have) != len(want) {
				t.Errorf("%d lines are stored, want %d", len(have), len(want))
			}
			for _, w := range want {
				h := have[w.key()]
				if len(h.fields) != len(w.fields) {
					t.Errorf("%s %v is stored with %d fields, want %d", w.measurement, w.tags, len(h.fields), len(w.fields))
				}
				for k, v := range w.fields {
					if !same(h.fields[k], v) {
						t.Errorf("%s %v: %s is stored as %s, want %s", w.measurement, w.tags, k, h.fields[k], v)
					}
				}
			}
		})
	}
}

// same compares two values as JSON: InfluxDB may write a number in another form.
func same(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && x == y
}

// TestInfluxDBHasOneTypePerField writes a healthy node and then an ill one: a
// field that changes its type would be refused.
func TestInfluxDBHasOneTypePerField(t *testing.T) {
	db := startInflux(t)
	for _, layout := range []influx.Layout{influx.LayoutGpumeter, influx.LayoutTelegraf} {
		name := string(layout)
		db.query(t, "", "CREATE DATABASE "+name)
		s := node(t)
		for range 2 {
			write(t, influx.Config{Target: exporters.Target{URL: db.url}, Database: name, User: "meter", PasswordFile: db.passwordFile, Layout: layout}, s)
			s.Frame.Wall = s.Frame.Wall.Add(time.Second)
			for i := range s.Frame.Looks {
				l := &s.Frame.Looks[i]
				for n := range l.Readings {
					l.Readings[n].Value = float64(n) // whole numbers
				}
			}
		}
	}
}

func TestVictoriaMetricsTakesEveryLine(t *testing.T) {
	for _, layout := range []influx.Layout{influx.LayoutGpumeter, influx.LayoutTelegraf} {
		t.Run(string(layout), func(t *testing.T) {
			v := startVictoria(t)
			lines := write(t, influx.Config{Target: exporters.Target{URL: v.url}, Bucket: "gpus", Org: "us", Layout: layout}, node(t))
			var want []sent
			for _, l := range lines {
				for k, text := range l.fields {
					want = append(want, sent{l.measurement + "_" + k, l.tags, number(text), l.at})
				}
			}
			compare(t, v.all(t, len(want)), want)
		})
	}
}

// number is what VictoriaMetrics makes of a field: truth is 1, a string is the
// number that it has or 0.
func number(text string) float64 {
	if text == "true" {
		return 1
	}
	v, err := strconv.ParseFloat(strings.Trim(text, `"`), 64)
	if err != nil {
		return 0
	}
	return v
}

package dcgm

import (
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// nvlinkBytes counts the bytes over all NVLinks, a row for each direction.
const nvlinkBytes = "gpu.nvlink.io"

// minSpan is the shortest time over which a rate is taken.
const minSpan = time.Second

// nvlink makes the rate over all NVLinks of their counters: the average since
// the page before, whoever asked for it.
func (e *Exporter) nvlink(to *subject, l *metric.Look) {
	n, ok := e.fields[nvlinkOld]
	if !ok {
		return
	}
	sum, found := 0.0, 0
	for i := range l.Readings {
		if l.Readings[i].Desc.Name == nvlinkBytes {
			sum += l.Readings[i].Value
			found++
		}
	}
	if found == 0 || found < e.directions {
		return // what one direction counted since it was loaded is no traffic
	}
	if v, known := e.rates.of(l.GPU.UUID, l.At, sum); known {
		to.values[n] = v
	}
}

// rates remembers the counters of the page before.
type rates struct {
	mu   sync.Mutex // guards what follows
	last map[string]count
}

type count struct {
	at    time.Duration // boot clock
	bytes float64
	rate  float64
	known bool
}

// of returns the rate of a counter in bytes per second. It is not known at
// first, and not when the counter or the clock began anew.
func (r *rates) of(key string, at time.Duration, bytes float64) (float64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]count{}
	}
	before, ok := r.last[key]
	span := at - before.at
	switch {
	case !ok || span < 0 || bytes < before.bytes:
		r.last[key] = count{at: at, bytes: bytes}
		return 0, false
	case span < minSpan:
		return before.rate, before.known
	}
	now := count{at, bytes, (bytes - before.bytes) / span.Seconds(), true}
	r.last[key] = now
	return now.rate, true
}

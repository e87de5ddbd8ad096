package nvml

import (
	"math"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// engine follows the samples that the driver keeps of one part of a GPU: its
// memory, its video units.
type engine struct {
	last uint64        // stamp of the newest sample seen
	at   time.Duration // its time
	next due           // when the buffer is asked, unless it is unsupported
}

// readEngine sets the row of an engine to the mean over the samples that came
// since it was last read. fresh then says that no other call is needed for it.
func (d *device) readEngine(i int) nvml.Return {
	e, p := &d.engines[i], &d.plan.engines[i]
	if !e.next.now(d.now) {
		return nvml.ERROR_NOT_FOUND // what was found last time stands
	}
	n, code := d.getSamples(p.kind, e.last)
	switch {
	case code == nvml.SUCCESS && d.useEngine(e, p.row, n):
		d.fresh[p.row] = true
	case (code == nvml.SUCCESS || code == nvml.ERROR_NOT_FOUND) && e.at != 0 && d.now-e.at < samplePeriod:
		d.fresh[p.row] = true // no sample has ended since
	default:
		d.fresh[p.row], d.values[p.row] = false, math.NaN()
	}
	e.next.after(code, d.now, d.cadence(&e.next, p.every))
	return code
}

// useEngine sets a row from the first n samples; false if they do not say
// anything about the time just past.
func (d *device) useEngine(e *engine, row, n int) bool {
	newest, at := d.util.newest(n, d.now)
	if newest <= e.last || at < d.now-2*samplePeriod {
		return false
	}
	share, _ := meanOf(d.util.buf[:n], nvml.ValueType(d.util.call.typ), e.last, newest)
	e.last, e.at = newest, at
	if !share.Known {
		e.at = 0 // one sample has no length
		return false
	}
	d.values[row] = share.Value
	return true
}

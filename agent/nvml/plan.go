package nvml

import (
	"math"
	"slices"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// plan is a table in the order in which a device is read: each call once,
// whatever the number of rows it fills, and field values and GPM metrics
// together. A row whose group was not asked for is in the table and not in the
// plan: its value stays absent.
type plan struct {
	rows    []Row
	calls   []callPlan
	fields  []fieldPlan
	engines []enginePlan
	sampled []int // rows filled from the utilisation samples of the GPU
	gpm     []gpmPlan
}

type callPlan struct {
	*Call
	arg   uint32
	every time.Duration // the shortest of its rows
	rows  []int
}

type fieldPlan struct {
	row   int
	src   *Source
	every time.Duration
	batch int
	// or is the place in the plan of the field that this one stands in for
	// where the GPU does not have it; -1 for a field that stands for itself.
	or int
}

// enginePlan is a row that the driver keeps samples for.
type enginePlan struct {
	row   int
	kind  nvml.SamplingType
	every time.Duration
}

type gpmPlan struct {
	row int // -1 for what is asked for its own sake
	id  uint32
}

// newPlan makes the plan of the rows that have no group, or one of groups.
func newPlan(rows []Row, groups ...string) *plan {
	p := &plan{rows: rows}
	for i := range rows {
		if rows[i].Group != "" && !slices.Contains(groups, rows[i].Group) && !slices.Contains(groups, AllGroups) {
			continue
		}
		switch s := &rows[i].Source; {
		case s.GPM != 0:
			p.gpm = append(p.gpm, gpmPlan{i, s.GPM})
		case s.Field != 0:
			p.addField(i, s)
		default:
			p.addSampled(i, s)
		}
	}
	for _, id := range cycleIDs {
		if len(p.gpm) > 0 && !slices.ContainsFunc(p.gpm, func(g gpmPlan) bool { return g.id == id }) {
			p.gpm = append(p.gpm, gpmPlan{-1, id})
		}
	}
	return p
}

func (p *plan) addSampled(row int, s *Source) {
	switch s.Samples {
	case 0:
	case nvml.GPU_UTILIZATION_SAMPLES:
		p.sampled = append(p.sampled, row)
	default:
		p.engines = append(p.engines, enginePlan{row, s.Samples, s.Every})
	}
	if s.Call != nil {
		p.addCall(row, s)
	}
}

func (p *plan) addCall(row int, s *Source) {
	for i := range p.calls {
		if c := &p.calls[i]; c.Call == s.Call && c.arg == s.Arg {
			c.rows = append(c.rows, row)
			c.every = min(c.every, s.Every)
			return
		}
	}
	p.calls = append(p.calls, callPlan{s.Call, s.Arg, s.Every, []int{row}})
}

// addField adds a row's field, and after it the one that stands in for it.
func (p *plan) addField(row int, s *Source) {
	or := -1
	for ; s != nil; s = s.Or {
		p.fields = append(p.fields, fieldPlan{row, s, s.Every, batchOf(s.Field), or})
		or = len(p.fields) - 1
	}
}

// Batches of field values: those that go into one call.
const (
	plainFields  = iota
	nvlinkFields // drivers were seen to mix them up with ECC fields, GB200
	batches
)

func batchOf(field uint32) int {
	switch {
	case field >= nvml.FI_DEV_NVLINK_COUNT_XMIT_PACKETS && field <= nvml.FI_DEV_NVLINK_COUNT_SYMBOL_BER,
		field >= nvml.FI_DEV_NVLINK_COUNT_FEC_HISTORY_0 && field <= nvml.FI_DEV_NVLINK_COUNT_FEC_HISTORY_15,
		field >= nvml.FI_DEV_NVLINK_COUNT_RAW_ERRORS_LANE0 && field <= nvml.FI_DEV_NVLINK_PLR_XMIT_RETRY_BLOCKS:
		return nvlinkFields
	}
	return plainFields
}

// forget is how long an unsupported call is not asked again. What a GPU
// supports changes with a driver, whose change ends the process, and with MIG.
const forget = 10 * time.Minute

// early is how much too early a value may be asked for: looks do not tick to
// the microsecond, and one that came a little early must not cost an interval.
const early = 20 * time.Millisecond

// due says when a call or field is to be asked next.
type due struct {
	at time.Duration
	// absent says that the GPU does not support it.
	absent bool
}

func (t *due) now(now time.Duration) bool { return now+early >= t.at }

// after plans the next time by what the call returned.
func (t *due) after(code nvml.Return, now, every time.Duration) {
	t.absent = unsupported(code)
	switch {
	case t.absent:
		t.at = now + forget
	case code == nvml.SUCCESS && every > 0:
		t.at = now + every
	default:
		t.at = now
	}
}

// turn is the time from the first asking to the second, in which the GPUs of a
// node part: what is read once a minute must not be read from all of them in
// the same second. index is the GPU's.
func turn(index int, every time.Duration) time.Duration {
	_, part := math.Modf(float64(index) * (math.Phi - 1)) // spreads any number evenly
	return every - time.Duration(part*float64(every))
}

// cadence is after how long to ask again.
func (d *device) cadence(t *due, every time.Duration) time.Duration {
	if t.at == 0 && every > 0 {
		return max(turn(d.index, every), early)
	}
	return every
}

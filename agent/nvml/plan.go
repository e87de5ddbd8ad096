package nvml

import (
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// plan is a table in the order in which a device is read: each call once,
// whatever the number of rows it fills, and all field values together.
type plan struct {
	rows    []Row
	calls   []callPlan
	fields  []fieldPlan
	sampled []int // rows filled from the utilisation samples
}

type callPlan struct {
	*Call
	arg   uint32
	every time.Duration // the shortest of its rows
	rows  []int
}

type fieldPlan struct {
	row   int
	every time.Duration
}

func newPlan(rows []Row) *plan {
	p := &plan{rows: rows}
	for i := range rows {
		switch s := &rows[i].Source; {
		case s.Call != nil:
			p.addCall(i, s)
		case s.Field != 0:
			p.fields = append(p.fields, fieldPlan{i, s.Every})
		default:
			p.sampled = append(p.sampled, i)
		}
	}
	return p
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

// forget is how long an unsupported call is not asked again. What a GPU
// supports changes with a driver, whose change ends the process, and with MIG.
const forget = 10 * time.Minute

// due says when a call or field is to be asked next.
type due struct{ at time.Duration }

func (t *due) now(now time.Duration) bool { return now >= t.at }

// after plans the next time by what the call returned.
func (t *due) after(code nvml.Return, now, every time.Duration) {
	switch {
	case unsupported(code):
		t.at = now + forget
	case code == nvml.SUCCESS:
		t.at = now + every
	default:
		t.at = now
	}
}

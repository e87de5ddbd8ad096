package fleet

import (
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// minuteMs is the span of one minute.
const minuteMs = 60_000

// work says what the GPUs of a pool are used for.
type work uint8

const (
	training  work = iota // gangs of nodes in jobs of more than a day
	notebooks             // a pod on every GPU, busy in office hours
	serving               // pods around the clock, busier by day
	spare                 // mostly free, now and then a batch job
)

// tenant is who has a GPU; what the number means is the work's to say.
type tenant int64

// nobody and unknown are no tenants: no holder was found, or none can be.
const (
	nobody  tenant = -1
	unknown tenant = -2
)

// load is what the tenants of one GPU do in one minute. busyMs is theirs
// apart, together at most a minute.
type load struct {
	tenants [2]tenant
	busyMs  [2]int64
	n       int // how many tenants
}

// moment is one minute as the work sees it.
type moment struct {
	minute  int64 // Unix
	hour    int   // in the team's zone
	weekend bool
}

func (n *node) moment(minute int64) moment {
	t := time.Unix(minute*60, 0).In(n.zone)
	wd := t.Weekday()
	return moment{minute, t.Hour(), wd == time.Saturday || wd == time.Sunday}
}

// free is a GPU that nobody holds.
var free = load{}

// held is a GPU with one tenant, busy for so many thousandths.
func held(t tenant, permille int64) load {
	return load{tenants: [2]tenant{t}, busyMs: [2]int64{permille * minuteMs / 1000}, n: 1}
}

// load returns what runs on a slot.
func (f *Fleet) load(n *node, slot int, at moment) load {
	switch n.pool.work {
	case training:
		return f.train(n, slot, at)
	case notebooks:
		return f.explore(n, slot, at)
	case serving:
		return f.serve(n, slot, at)
	default:
		return f.batch(n, slot, at)
	}
}

// train: gangs of four nodes in jobs of 38 to 45 h out of every 48; a
// checkpoint every three hours. One job in six hangs for its last ten hours:
// it holds its GPUs and computes nothing.
func (f *Fleet) train(n *node, slot int, at moment) load {
	const cycle = 48 * 60
	gang := uint64(f.gang(n))
	// Gangs are out of step, so that not all jobs begin in one hour.
	at.minute += int64(f.roll("gang", gang, 0) % cycle)
	job := at.minute / cycle
	dice := f.roll("job", gang, uint64(job))
	length := 38*60 + int64(dice%(7*60))
	since := at.minute % cycle
	t := tenant(job%1000*100 + int64(gang%100))
	switch {
	case since >= length:
		return free
	case since < 12, (dice>>32)%6 == 0 && length-since < 600:
		return held(t, 0)
	case since%180 < 5:
		return held(t, 40)
	}
	return held(t, 900+f.jitter(n, slot, at.minute, 95))
}

// gang numbers the groups of four nodes over all pools.
func (f *Fleet) gang(n *node) int {
	g := n.index / 4
	for i := range f.pools {
		if &f.pools[i] == n.pool {
			return 100*i + g
		}
	}
	return g
}

// explore: a pod holds its GPU day and night; people come by half hours of
// working days, and one GPU in nine has a run left on over night.
func (f *Fleet) explore(n *node, slot int, at moment) load {
	t := tenant(slot)
	half := f.roll(n.name, uint64(slot), uint64(at.minute/30))
	switch {
	case f.roll(n.name+"/night", uint64(slot), uint64(at.minute/1440))%9 == 0:
		return held(t, 780+f.jitter(n, slot, at.minute, 90))
	case at.weekend || at.hour < 8 || at.hour >= 19:
		return held(t, 0)
	case half%10 < 6:
		return held(t, 250+int64(half>>32)%400+f.jitter(n, slot, at.minute, 60))
	}
	return held(t, 0)
}

// traffic is the load of a service by hour of the day, in thousandths.
var traffic = [24]int64{
	210, 170, 150, 140, 150, 190, 280, 400, 520, 610, 660, 690,
	680, 700, 720, 700, 660, 620, 590, 560, 510, 430, 340, 260,
}

// serve: busy as the day goes. The first GPU of a node is shared by two pods.
func (f *Fleet) serve(n *node, slot int, at moment) load {
	busy := traffic[at.hour]
	if at.weekend {
		busy = busy * 6 / 10
	}
	l := held(tenant(2*slot), busy+f.jitter(n, slot, at.minute, 120)-60)
	if slot == 0 {
		l.n, l.tenants[1] = 2, 1
		l.busyMs[1] = l.busyMs[0] / 3
		l.busyMs[0] -= l.busyMs[1]
	}
	return l
}

// batch: one quarter of a day in five, a job of that length.
func (f *Fleet) batch(n *node, slot int, at moment) load {
	quarter := at.minute / 360
	if f.roll(n.name, uint64(slot), uint64(quarter))%5 != 0 {
		return free
	}
	return held(tenant(quarter%10_000), 760+f.jitter(n, slot, at.minute, 200))
}

// holder names a tenant as the source of holders of its pool would.
func (n *node) holder(t tenant) usage.Holder {
	basis := usage.BasisKubelet
	if n.pool.work == training {
		basis = usage.BasisScheduler
	}
	switch t {
	case unknown:
		return usage.Holder{Basis: usage.BasisNone}
	case nobody:
		return usage.Holder{Basis: basis}
	}
	h := usage.Holder{Basis: basis, Kind: "pod", Group: n.pool.team}
	switch n.pool.work {
	case training:
		h.Kind, h.Name = "job", fmt.Sprint(100_000+int64(t))
	case notebooks:
		h.Name, h.Part = fmt.Sprintf("notebook-%s-%d", n.name, t), "jupyter"
	case serving:
		h.Name, h.Part = fmt.Sprintf("chat-%s-%d", n.name, t/2), "server"
		if t%2 == 1 {
			h.Name = "embed-" + n.name
		}
	case spare:
		h.Name, h.Part = fmt.Sprintf("sweep-%d", t), "main"
	}
	return h
}

// smPermille is the share of busy time in which the SMs are active.
var smPermille = [...]int64{training: 640, notebooks: 310, serving: 450, spare: 520}

package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

// Times of the suite, in milliseconds.
const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	t0     = int64(1_790_000_000_000) / hour * hour // September 2026
)

func id(n int) string { return fmt.Sprintf("%032x", n) }

// from makes a batch of one agent on one node; edit adds what it says.
func from(agent int, seq uint64, edit func(*usage.Batch)) usage.Sealed {
	b := usage.Batch{
		Agent: id(agent), Epoch: id(1), Seq: seq, Evidence: usage.EvidenceAgent, IntervalMs: second,
		Node: usage.Node{Name: "node-1", Cloud: usage.Cloud{Provider: "aws", Account: "a", Region: "r"}},
	}
	if edit != nil {
		edit(&b)
	}
	return seal(b)
}

// seal lists the GPUs that a batch speaks of and seals it.
func seal(b usage.Batch) usage.Sealed {
	listed := map[string]bool{}
	for _, g := range b.GPUs {
		listed[g.UUID] = true
	}
	for _, r := range b.Records {
		if !listed[r.GPU] {
			listed[r.GPU] = true
			b.GPUs = append(b.GPUs, usage.GPU{UUID: r.GPU, Model: "H100", Index: len(b.GPUs)})
		}
	}
	s, err := usage.Seal(b)
	if err != nil {
		s.Batch.Version = -1 // refused by check
	}
	return s
}

// busy is a record of a GPU that was busy all the time.
func busy(gpu string, fromMs, toMs int64) usage.Record {
	return usage.Record{GPU: gpu, StartMs: fromMs, EndMs: toMs, Sums: usage.Sums{BusyMs: toMs - fromMs}}
}

// records makes a batch of records.
func records(agent int, seq uint64, list ...usage.Record) usage.Sealed {
	return from(agent, seq, func(b *usage.Batch) { b.Records = list })
}

// check fails the test if a batch is not one that a collector would append.
func check(t *testing.T, batches []usage.Sealed) {
	t.Helper()
	for _, s := range batches {
		if err := s.Batch.Check(); err != nil || s.Batch.Version != usage.WireVersion {
			t.Fatalf("the suite made a bad batch %s: %v", s.Batch.ID(), err)
		}
	}
}

// fleet makes batches as a troubled fleet would: several streams that record
// the same GPUs, gaps, long silences, clocks set back, GPUs that move, nodes
// that say goodbye.
type fleet struct {
	r    *rand.Rand
	gpus int
}

// randomBatches returns about n records' worth of batches, in order of time
// for each stream.
func randomBatches(seed uint64, n int) []usage.Sealed {
	f := fleet{r: rand.New(rand.NewPCG(seed, 1)), gpus: 1 + int(seed%4)}
	var out []usage.Sealed
	streams := 1 + int(seed/4%4)
	for i := range streams {
		out = append(out, f.stream(i, n/streams)...)
	}
	return out
}

func (f *fleet) stream(i, n int) []usage.Sealed {
	b := usage.Batch{
		Agent: id(i / 2), Epoch: id(1 + i%2), Evidence: usage.EvidenceAgent, IntervalMs: second,
		Node: usage.Node{Name: "node-1", Cloud: usage.Cloud{Provider: "aws", Region: "r"}},
	}
	if i%3 == 2 {
		b.Evidence, b.Node.Cloud.Region = usage.EvidencePrometheus, ""
	}
	step := []int64{minute, 10 * minute, hour}[f.r.IntN(3)]
	at := t0 + f.r.Int64N(48)*hour
	var out []usage.Sealed
	for left := n; left > 0; {
		b.Seq += 1 + uint64(f.r.IntN(8)/7)
		b.Node.Driver = fmt.Sprintf("58%d", f.r.IntN(10)/9)
		b.Records, b.Events = nil, nil
		for range 1 + f.r.IntN(4) {
			at = f.next(at, step)
			for gpu := range f.gpus {
				b.Records = f.window(b.Records, fmt.Sprintf("GPU-%d", gpu), at, step)
			}
			at += step
		}
		f.happen(&b, at)
		left -= len(b.Records)
		s := seal(b)
		if s.Batch.Check() != nil { // windows of one batch that overlap
			b.Records = f.window(nil, "GPU-0", at, step)
			s = seal(b)
		}
		out = append(out, s)
	}
	return out
}

// next says when a stream's next window starts.
func (f *fleet) next(at, step int64) int64 {
	switch f.r.IntN(40) {
	case 0:
		return at + hour*(20+f.r.Int64N(30)) // silence, short or long
	case 1:
		return at - f.r.Int64N(step) // the clock was set back
	case 2, 3, 4:
		return at + f.r.Int64N(step)
	}
	return at
}

// window adds the records of one GPU's window: none, one, or one per holder.
func (f *fleet) window(out []usage.Record, gpu string, at, step int64) []usage.Record {
	if f.r.IntN(10) == 0 {
		return out
	}
	left := step
	for range 1 + f.r.IntN(8)/6 {
		r := usage.Record{GPU: gpu, StartMs: at, EndMs: at + step, Holder: f.holder()}
		for _, v := range []*int64{&r.BusyMs, &r.IdleMs, &r.UnmeasuredMs, &r.UnallocatedMs, &r.UnhealthyMs} {
			if f.r.IntN(3) == 0 {
				*v = f.r.Int64N(left + 1)
				left -= *v
			}
		}
		if r.BusyMs > 0 {
			r.SMKnownMs, r.SMActiveMs = r.BusyMs, f.r.Int64N(r.BusyMs)
			r.EnergyKnownMs, r.EnergyMJ = step, f.r.Int64N(700*step)
		}
		if r.ObservedMs() == 0 {
			r.Reason = "driver_hang"
		}
		out = append(out, r)
	}
	return out
}

func (f *fleet) holder() usage.Holder {
	if f.r.IntN(3) == 0 {
		return usage.Holder{Basis: usage.BasisProcess}
	}
	return usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: "team", Name: fmt.Sprint(f.r.IntN(5))}
}

// happen lets the node move, change its driver, or say something.
func (f *fleet) happen(b *usage.Batch, at int64) {
	switch f.r.IntN(12) {
	case 0:
		b.Node.Name = fmt.Sprintf("node-%d", f.r.IntN(3))
	case 1:
		b.Node.Cloud.Reservation = fmt.Sprintf("cr-%d", f.r.IntN(2))
	case 2:
		b.Events = append(b.Events, usage.Event{AtMs: at, Kind: usage.EventGoodbye})
	case 3:
		b.Events = append(b.Events, usage.Event{AtMs: at + minute, Kind: usage.EventGoodbye, GPU: "GPU-0"})
	case 4:
		b.Events = append(b.Events, usage.Event{AtMs: at, Kind: usage.EventXid, GPU: "GPU-0", Value: 79, Detail: "Fallen off the bus"})
	}
}

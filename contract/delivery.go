package contract

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// Delivery says in what pieces a tranche is delivered, and how late it may be.
// The zero value is single GPUs without grace.
type Delivery struct {
	Unit DeliveryUnit
	// GPUsPerUnit is how many GPUs a node or rack has; zero is not stated.
	GPUsPerUnit int
	// GraceMs is how long after a step of the ramp its GPUs may be missing
	// without being late. The time is undelivered all the same.
	GraceMs int64
}

// DeliveryUnit is the piece that is good only as a whole.
type DeliveryUnit string

// Where the unit is a node or a rack, one unhealthy GPU makes all of it
// unhealthy in the identity; the GPU's own figure is a note.
const (
	DeliverGPU  DeliveryUnit = "gpu"
	DeliverNode DeliveryUnit = "node"
	DeliverRack DeliveryUnit = "rack"
)

// Substitute is another model that the buyer accepts in place of the one
// bought, one GPU for one.
type Substitute struct {
	Model string
	// Factor multiplies the tranche's prices per GPU-hour, that of overage too,
	// for the hours of this model, in millionths: it touches the price and never
	// the count. The product is rounded half even to a micro-unit.
	Factor int64
}

// substitute returns the index of a model in Accepts, or -1.
func (t *Tranche) substitute(model string) int {
	return slices.IndexFunc(t.Accepts, func(s Substitute) bool { return s.Model == model })
}

// models names what counts toward the tranche: "H100" or "H100" or "H200".
func (t *Tranche) models() string {
	out := strconv.Quote(t.Model)
	for _, s := range t.Accepts {
		out += " or " + strconv.Quote(s.Model)
	}
	return out
}

// times is a price with a substitute's factor, rounded half even; what does
// not fit becomes the most that Money can hold, which worth refuses.
func times(price Money, factor int64) Money {
	hi, lo := bits.Mul64(uint64(price), uint64(factor))
	if hi >= Whole { // Div64 would panic
		return math.MaxInt64
	}
	q, rem := bits.Div64(hi, lo, Whole)
	if rem*2 > Whole || (rem*2 == Whole && q%2 == 1) {
		q++
	}
	return Money(min(q, math.MaxInt64))
}

// rateOf is the rate of a key with the prices of its model; nil is none.
func (t *Tranche) rateOf(k key) *Rate {
	if k.rate == unpriced {
		return nil
	}
	r := t.Rates[k.rate]
	if k.sub != asBought {
		r.PerGPUHour = times(r.PerGPUHour, t.Accepts[k.sub].Factor)
		r.OveragePerGPUHour = times(r.OveragePerGPUHour, t.Accepts[k.sub].Factor)
	}
	return &r
}

// accepted is the model of a substitute; empty for the one bought.
func (t *Tranche) accepted(sub int) string {
	if sub == asBought {
		return ""
	}
	return t.Accepts[sub].Model
}

// dearest is the highest price of a GPU-hour under a rate.
func (t *Tranche) dearest(r *Rate) Money {
	most := r.PerGPUHour
	for sub := range t.Accepts {
		most = max(most, times(r.PerGPUHour, t.Accepts[sub].Factor))
	}
	return most
}

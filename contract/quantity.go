package contract

import (
	"fmt"
	"slices"
	"strings"
)

// Quantity is a number of a line: one bucket, or a stage, which is the sum of
// the buckets that are left in it.
type Quantity struct {
	Name    string
	Buckets []Bucket
	// Rule says how it comes about.
	Rule string
}

// Quantities are in the order of the waterfall.
var Quantities = []Quantity{
	{"contracted", after(Undelivered - 1), "the GPUs of each step of the ramp, times how long the step lasts"},
	{"undelivered", []Bucket{Undelivered}, "contracted, less the time of the GPUs that stood in the tranche"},
	{"delivered", after(Undelivered), "contracted − undelivered: the time of the GPUs that stood in the tranche, up to the contracted number. " +
		"A GPU stands from its first record to its last, and for up to 24 hours of silence after it"},
	{"unobserved", []Bucket{Unobserved}, "the time of the GPUs that stood in the tranche, less what their records cover"},
	{"observed", after(Unobserved), "delivered − unobserved: the time that records cover"},
	{"unhealthy", []Bucket{Unhealthy}, "covered by records from the first evidence of a fault (GPU lost, fatal Xid, uncorrected ECC error, failed remap, " +
		"demanded reset, missing sibling) to a good reading after a reset, a reload of the driver or a reboot"},
	{"healthy", after(Unhealthy), "observed − unhealthy"},
	{"unallocated", []Bucket{Unallocated}, "healthy, and a working source of holders found nobody; what ran all the same is busy"},
	{"allocated", after(Unallocated), "healthy − unallocated: held, or not known to be free"},
	{"idle", []Bucket{Idle}, "held by somebody known, less the share of the time in which a kernel ran"},
	{"unmeasured", []Bucket{Unmeasured}, "healthy, but activity or holder cannot be read: MIG without counters of its instances, no permission, no source of holders"},
	{"busy", []Bucket{Busy}, "the integral of the driver's utilisation: the share of time in which a kernel ran, whoever held the GPU"},
}

// after returns the buckets that follow one.
func after(b Bucket) []Bucket {
	var out []Bucket
	for b++; b < Buckets; b++ {
		out = append(out, b)
	}
	return out
}

// ParseQuantity finds a quantity by its name.
func ParseQuantity(name string) (Quantity, error) {
	i := slices.IndexFunc(Quantities, func(f Quantity) bool { return f.Name == name })
	if i < 0 {
		names := make([]string, len(Quantities))
		for i, f := range Quantities {
			names[i] = f.Name
		}
		last := len(names) - 1
		return Quantity{}, fmt.Errorf("%q is not %s or %s", name, strings.Join(names[:last], ", "), names[last])
	}
	return Quantities[i], nil
}

// Ms is the quantity's part of some time.
func (q *Quantity) Ms(t Time) int64 {
	var sum int64
	for _, b := range q.Buckets {
		sum += t[b]
	}
	return sum
}

// Cost is the quantity's part of some amounts.
func (q *Quantity) Cost(a Amounts) Money {
	var sum Money
	for _, b := range q.Buckets {
		sum += a[b]
	}
	return sum
}

// Actor returns who can act on the quantity; empty unless it is one bucket.
func (q *Quantity) Actor() string {
	if len(q.Buckets) != 1 {
		return ""
	}
	return q.Buckets[0].Actor()
}

package contract

// actors are who can do something about each bucket.
var actors = [Buckets]string{
	Undelivered: "provider", Unobserved: "us", Unhealthy: "provider",
	Unallocated: "platform", Idle: "team", Unmeasured: "us",
}

// Actor returns who can act on a bucket: "provider", "platform", "team" or
// "us", who run the meters; empty for Busy.
func (b Bucket) Actor() string { return actors[b] }

// Drop is one step of a line's waterfall: either a bucket that is taken off,
// or the stage that is left.
type Drop struct {
	Name   string // of the bucket or stage
	Off    bool   // a bucket, taken off what stands above it
	Bucket Bucket // which, if Off
	Ms     int64  // GPU-milliseconds
	Cost   Money  // of the priced part
}

// Waterfall returns the way of a line from contracted to busy: each stage
// after the buckets that part it from the one above. A stage is exactly what
// stands above it less the buckets between, in time and in money.
func (l *Line) Waterfall() []Drop {
	ms, cost := l.ContractedMs, l.Cost.Contracted
	out := []Drop{{Name: "contracted", Ms: ms, Cost: cost}}
	for b := range Busy {
		out = append(out, Drop{Name: b.String(), Off: true, Bucket: b, Ms: l.Buckets[b], Cost: l.Cost.Buckets[b]})
		ms -= l.Buckets[b]
		cost -= l.Cost.Buckets[b]
		if name := stageAfter[b]; name != "" {
			out = append(out, Drop{Name: name, Ms: ms, Cost: cost})
		}
	}
	return out
}

// stageAfter names what is left when a bucket and those above are taken off.
var stageAfter = [Buckets]string{
	Undelivered: "delivered", Unobserved: "observed", Unhealthy: "healthy",
	Unallocated: "allocated", Unmeasured: "busy",
}

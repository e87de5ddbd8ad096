package host

import "testing"

// BenchmarkReadNode is one reading of every part. Every ten seconds, 10 ms of it
// would be 0.1 % of a core.
func BenchmarkReadNode(b *testing.B) {
	r := New(Config{State: b.TempDir()})
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range r.parts {
			if _, err := p.attempt(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkReadings is what a frame of the agent takes.
func BenchmarkReadings(b *testing.B) {
	r := New(Config{State: b.TempDir()})
	for _, p := range r.parts {
		rs, err := p.attempt(b.Context())
		p.keep(rs, err, r.cfg.Now())
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Readings()
	}
}

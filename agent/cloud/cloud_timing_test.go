package cloud_test

import (
	"testing"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/sim/metadata"
)

// BenchmarkLook asks each metadata service once per operation.
func BenchmarkLook(b *testing.B) {
	for _, r := range rents {
		b.Run(r.provider, func(b *testing.B) {
			var n metadata.Network
			defer n.Close()
			n.Serve(linkLocal, r.service(r.instance))
			f := cloud.New(config(r.root(b), &n))
			b.ReportAllocs()
			for b.Loop() {
				if found := f.Look(b.Context()); found.Cloud.InstanceID == "" {
					b.Fatalf("found %+v, failed %v", found.Cloud, found.Failed)
				}
			}
		})
	}
}

// BenchmarkCloud is what the agent does at every window's edge.
func BenchmarkCloud(b *testing.B) {
	f := cloud.New(cloud.Config{Off: true})
	b.ReportAllocs()
	for b.Loop() {
		_ = f.Cloud()
	}
}

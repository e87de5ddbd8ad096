package otlp

import (
	"context"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/host"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

// readHost returns what this machine says of itself.
func readHost(t *testing.T) []metric.Reading {
	t.Helper()
	r := host.New(host.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		names := map[string]bool{}
		for _, x := range r.Readings() {
			names[x.Desc.OTel.Name] = true
		}
		if names["system.cpu.time"] && names["system.memory.usage"] && names["system.filesystem.usage"] {
			return r.Readings()
		}
	}
	t.Fatal("the host says nothing of its CPUs, memory and filesystems")
	return nil
}

func TestHostIsSentInTheWordsOfTheConventions(t *testing.T) {
	s := exporters.Snapshot{Host: readHost(t)}
	s.Frame.Wall = now
	for _, r := range s.Host {
		checkConvention(t, r.Desc)
	}
	want := 0
	for range exporters.Points(&s, now, exporters.DefaultMaxAge) {
		want++
	}
	got := 0
	for _, m := range produce(t, &producer{cfg: config(&s)}) {
		got += len(dataPoints(m))
	}
	if got != want {
		t.Errorf("%d points are sent, want %d", got, want)
	}
}

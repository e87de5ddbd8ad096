package holder_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/agent/holder/pods"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// eight are eight GPUs with a pod and a process each, and the finder that knows
// them.
func eight(b *testing.B) (*holder.Finder, []metric.Look) {
	p := newProc(b)
	k, api := &source[[]kubelet.Use]{}, &source[map[pods.Pod]string]{value: map[pods.Pod]string{}}
	var looks []metric.Look
	for i := range 8 {
		uuid, name := fmt.Sprintf("GPU-8dd8ed19-3a2c-4b52-9b3c-16a4b0a3c00%d", i), fmt.Sprint("train-", i)
		p.add(100+i, "/kubepods/besteffort/pod"+podX+"/"+container)
		k.value = append(k.value, use(name, uuid))
		api.value[pods.Pod{Namespace: "n", Name: name}] = "team=search"
		looks = append(looks, look(uuid, 0, 100+i))
	}
	f := find(b, holder.Config{Kubelet: k, Pods: api, Proc: p.dir})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	for f.Sources()[0].State != holder.SourceWorks || f.Sources()[1].State != holder.SourceWorks {
		time.Sleep(time.Millisecond)
	}
	return f, looks
}

// BenchmarkHolders looks at eight GPUs whose holders are who they were: what the
// agent does each second, for the meter and for the exporters.
func BenchmarkHolders(b *testing.B) {
	f, looks := eight(b)
	at := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		at += time.Second
		shown := make(map[string][]usage.Holder, len(looks))
		for i := range looks {
			looks[i].At = at
			f.Holders(looks[i])
			f.Add(shown, looks[i])
		}
		if shown[looks[7].GPU.UUID][0].Labels != "team=search" {
			b.Fatalf("holders are %+v", shown)
		}
	}
}

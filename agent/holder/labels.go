package holder

import (
	"time"

	"github.com/gpumeter/gpumeter/agent/holder/pods"
)

const (
	// askAgain is how long the API server is not asked again about a pod that it
	// did not know: it learns of it later than the kubelet by a moment.
	askAgain = 10 * time.Second
	// maxStrangers bounds the pods that are remembered for that.
	maxStrangers = 1024
)

// acquaintance is which pods were seen, and whether the API server is to be
// asked about some of them.
type acquaintance struct {
	strangers bool
	seq       uint64                 // the kubelet's answer that was looked at
	here      map[pods.Pod]bool      // the pods of that answer
	asked     map[pods.Pod]time.Time // when it was asked about a pod that it does not know
}

// greet looks for pods that the kubelet did not have at its answer before. A
// name that comes back can be another pod's, with other labels. f.mu is held.
func (f *Finder) greet() {
	uses, seq, ok := f.pods.newest()
	if f.labels == nil || !ok || seq == f.met.seq {
		return
	}
	here := make(map[pods.Pod]bool, len(uses))
	for _, u := range uses {
		p := pods.Pod{Namespace: u.Namespace, Name: u.Pod}
		here[p] = true
		f.met.strangers = f.met.strangers || !f.met.here[p]
	}
	f.met.seq, f.met.here = seq, here
}

// labelsOf returns the labels of a pod that may be told; empty while nobody
// knows them. f.mu is held.
func (f *Finder) labelsOf(namespace, name string) string {
	if f.labels == nil || name == "" {
		return ""
	}
	p := pods.Pod{Namespace: namespace, Name: name}
	all, _, _ := f.labels.newest()
	text, known := all[p]
	switch {
	case known:
		delete(f.met.asked, p)
	case time.Since(f.met.asked[p]) > askAgain:
		if f.met.asked == nil || len(f.met.asked) >= maxStrangers {
			f.met.asked = map[pods.Pod]time.Time{}
		}
		f.met.asked[p] = time.Now()
		f.met.strangers = true
	}
	return text
}

package pods

import (
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

// FuzzRead holds that nothing but the allowed labels is told, in a form that a
// record takes, whatever a server says.
func FuzzRead(f *testing.F) {
	allowed := []string{"team", "cost-centre"}
	f.Add(`{"items":[{"metadata":{"name":"a","namespace":"b","labels":{"team":"x","other":"y"}}}]}`)
	f.Add(`{"metadata":{},"items":[{"metadata":{"labels":{"cost-centre":"a=b,c\u0000","team":"` + strings.Repeat("é", 200) + `"}}},null]}`)
	f.Add(`{"items":[],"items":[{}],"x":[{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := read(strings.NewReader(text), allowed)
		if err != nil {
			return
		}
		for pod, labels := range list {
			for pair := range strings.SplitSeq(labels, ",") {
				key, value, ok := strings.Cut(pair, "=")
				if labels != "" && (!ok || key != "team" && key != "cost-centre" || len(value) > 63 || strings.Contains(value, "=")) {
					t.Errorf("pod %v has the labels %q", pod, labels)
				}
			}
			if err := held(labels).Check(); err != nil {
				t.Errorf("pod %v: %v", pod, err)
			}
		}
	})
}

// held is a batch with one record whose holder has labels.
func held(labels string) *usage.Batch {
	return &usage.Batch{
		Agent: strings.Repeat("a", 32), Epoch: strings.Repeat("b", 32), Seq: 1, Evidence: usage.EvidenceAgent,
		Node: usage.Node{Name: "n"}, GPUs: []usage.GPU{{UUID: "GPU-0"}},
		Records: []usage.Record{{GPU: "GPU-0", EndMs: 60_000, Holder: usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Labels: labels}}},
	}
}

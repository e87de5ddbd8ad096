package collector

import "github.com/gpumeter/gpumeter/contract"

// counts are running totals up to a moment. They are kept as JSON.
type counts struct {
	AtMs     int64                   `json:"at_ms"`
	Tranches map[string]trancheCount `json:"tranches"` // by CONTRACT/TRANCHE
	// Uncontracted is GPU-ms by provider and model, "aws/H100".
	Uncontracted map[string]int64 `json:"uncontracted_gpu_ms"`
}

// trancheCount is what one tranche came to, in GPU-ms.
type trancheCount struct {
	Buckets    contract.Time `json:"buckets_gpu_ms"`
	OverageMs  int64         `json:"overage_gpu_ms"`
	SMActiveMs int64         `json:"sm_active_gpu_ms"`
	SMKnownMs  int64         `json:"sm_known_gpu_ms"`
}

// plus returns c and what followed it. Neither is changed: what was handed out
// stays as it was.
func (c counts) plus(more counts) counts {
	out := counts{AtMs: more.AtMs, Tranches: map[string]trancheCount{}, Uncontracted: map[string]int64{}}
	for _, from := range []counts{c, more} {
		for key, x := range from.Tranches {
			sum := out.Tranches[key]
			sum.Buckets.Add(x.Buckets)
			sum.OverageMs += x.OverageMs
			sum.SMActiveMs += x.SMActiveMs
			sum.SMKnownMs += x.SMKnownMs
			out.Tranches[key] = sum
		}
		for key, ms := range from.Uncontracted {
			out.Uncontracted[key] += ms
		}
	}
	return out
}

// atLeast returns c with no number below what was: of a counter that falls,
// readers believe that it began anew at zero. Where another collector counted
// otherwise, a number stands still until it is reached.
func (c counts) atLeast(was counts) counts {
	out := counts{}.plus(c)
	out.AtMs = max(c.AtMs, was.AtMs)
	for key, w := range was.Tranches {
		x := out.Tranches[key]
		for b := range x.Buckets {
			x.Buckets[b] = max(x.Buckets[b], w.Buckets[b])
		}
		x.OverageMs = max(x.OverageMs, w.OverageMs)
		x.SMActiveMs, x.SMKnownMs = max(x.SMActiveMs, w.SMActiveMs), max(x.SMKnownMs, w.SMKnownMs)
		out.Tranches[key] = x
	}
	for key, ms := range was.Uncontracted {
		out.Uncontracted[key] = max(out.Uncontracted[key], ms)
	}
	return out
}

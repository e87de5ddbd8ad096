package pods

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/gpumeter/gpumeter/usage"
)

const (
	// maxAnswer bounds an answer, in bytes: 1,000 pods, each with 16 KiB of
	// metadata.
	maxAnswer = 16 << 20
	// maxPods is far above what a kubelet runs.
	maxPods = 4096
	// maxValue is the longest value of a label in Kubernetes, in bytes.
	maxValue = 63
)

// item is what is kept of a pod.
type item struct {
	Metadata struct {
		Namespace string            `json:"namespace"`
		Name      string            `json:"name"`
		Labels    map[string]string `json:"labels"`
	} `json:"metadata"`
}

// read reads a list of pods, one after the other: all of their metadata together
// would be the largest thing in the agent.
func read(r io.Reader, labels []string) (map[Pod]string, error) {
	limited := &io.LimitedReader{R: r, N: maxAnswer}
	out := map[Pod]string{}
	err := items(json.NewDecoder(limited), func(x *item) error {
		if len(out) == maxPods {
			return fmt.Errorf("more than %d pods", maxPods)
		}
		out[Pod{x.Metadata.Namespace, x.Metadata.Name}] = pick(x.Metadata.Labels, labels)
		return nil
	})
	if err != nil && limited.N <= 0 {
		return nil, fmt.Errorf("answer is longer than %d MiB", maxAnswer>>20)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// items calls f for each item of a list.
func items(dec *json.Decoder, f func(*item) error) error {
	if err := expect(dec, '{'); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		if key != "items" {
			var other json.RawMessage
			if err := dec.Decode(&other); err != nil {
				return err
			}
			continue
		}
		if err := each(dec, f); err != nil {
			return err
		}
	}
	return expect(dec, '}')
}

func each(dec *json.Decoder, f func(*item) error) error {
	if err := expect(dec, '['); err != nil {
		return err
	}
	for dec.More() {
		var x item
		if err := dec.Decode(&x); err != nil {
			return err
		}
		if err := f(&x); err != nil {
			return err
		}
	}
	return expect(dec, ']')
}

func expect(dec *json.Decoder, want json.Delim) error {
	got, err := dec.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%v stands where %v should", got, want)
	}
	return nil
}

// pick returns the labels that may be told.
func pick(all map[string]string, allowed []string) string {
	told := map[string]string{}
	for _, key := range allowed {
		if v, ok := all[key]; ok {
			if len(v) > maxValue {
				v = strings.ToValidUTF8(v[:maxValue], "")
			}
			told[key] = v
		}
	}
	return usage.JoinLabels(told)
}

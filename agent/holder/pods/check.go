package pods

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gpumeter/gpumeter/usage"
)

// maxLabels bounds the list of labels that may be told: each is a column of what
// people look at, and there are few of them that say who pays.
const maxLabels = 8

// labelKey is the key of a label in Kubernetes: a name, with or without the
// domain of whoever defined it.
var labelKey = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)

// Check says whether labels can be told together: whatever their values are,
// they fit into a record, and no two look the same as labels of a metric.
func Check(keys []string) error {
	if len(keys) > maxLabels {
		return fmt.Errorf("%d pod labels: more than %d", len(keys), maxLabels)
	}
	total, seen := 0, map[string]string{}
	for _, key := range keys {
		if !labelKey.MatchString(key) {
			return fmt.Errorf("pod label %q is no key of a label", key)
		}
		alike := strings.Map(func(r rune) rune {
			if strings.ContainsRune("-./", r) {
				return '_'
			}
			return r
		}, key)
		if other, ok := seen[alike]; ok {
			return fmt.Errorf("pod labels %q and %q are the same as labels of a metric", other, key)
		}
		seen[alike] = key
		total += len(key) + len("=,") + maxValue
	}
	if total > usage.MaxLabels {
		return fmt.Errorf("pod labels can take %d bytes together: more than %d", total, usage.MaxLabels)
	}
	return nil
}

package usage

import (
	"maps"
	"slices"
	"strings"
)

// MaxLabels bounds Holder.Labels, in bytes.
const MaxLabels = 1024

// JoinLabels returns labels in the one form that Holder.Labels has: KEY=VALUE,
// sorted by key, with a comma between two. Labels without a key are left out;
// what would end a key or a value too early, or is no clean text, becomes _, and
// of two keys that are then the same the one that sorts last counts.
func JoinLabels(labels map[string]string) string {
	tidy := make(map[string]string, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key != "" {
			tidy[strings.Map(labelRune, key)] = strings.Map(labelRune, labels[key])
		}
	}
	pairs := make([]string, 0, len(tidy))
	for _, key := range slices.Sorted(maps.Keys(tidy)) {
		pairs = append(pairs, key+"="+tidy[key])
	}
	return strings.Join(pairs, ",")
}

func labelRune(r rune) rune {
	if r < ' ' || r == 0x7f || r == ',' || r == '=' || r == '\uFFFD' {
		return '_'
	}
	return r
}

// Label returns the value of a label; empty if the holder has none of that name.
func (h Holder) Label(key string) string {
	for pair := range strings.SplitSeq(h.Labels, ",") {
		if k, v, _ := strings.Cut(pair, "="); k == key {
			return v
		}
	}
	return ""
}

// cleanLabels reports whether s is the one form of some labels, so that two
// holders with the same labels are the same holder.
func cleanLabels(s string) bool {
	if s == "" {
		return true
	}
	if len(s) > MaxLabels || !cleanText(s) {
		return false
	}
	before := ""
	for pair := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key <= before || strings.Contains(value, "=") {
			return false
		}
		before = key
	}
	return true
}

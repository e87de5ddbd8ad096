package metric

import "strings"

// Model returns the short model by which GPUs are bought ("H100", "GB200",
// "RTX-6000"), from NVML's product name ("NVIDIA H100 80GB HBM3", "Tesla T4").
// A name that it cannot shorten is returned without the vendor, so that an
// unknown model is still a model and never empty unless the name is.
func Model(name string) string {
	name = strings.TrimSpace(name)
	for _, vendor := range []string{"NVIDIA ", "Tesla ", "GRID "} {
		name = strings.TrimPrefix(name, vendor)
	}
	words := strings.Fields(name)
	if len(words) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(words[0], "-") // "A100-SXM4-80GB"
	if isModel(first) {
		return strings.ToUpper(first)
	}
	return strings.Join(words, "-")
}

// isModel reports whether w looks like a data-centre model: capital letters,
// then digits, then perhaps a letter ("H100", "GB200", "L40S", "T4", "V100").
func isModel(w string) bool {
	letters := strings.TrimLeft(w, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n := len(w) - len(letters)
	digits := strings.TrimLeft(letters, "0123456789")
	return n >= 1 && n <= 2 && len(digits) < len(letters) && len(digits) <= 1
}

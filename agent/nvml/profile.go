package nvml

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// profile is the size of a GPU instance and of one of its compute instances,
// in compute slices. 0 is unknown.
type profile struct {
	name                  string // of the GPU instance, "3g.40gb"
	slices, computeSlices int
}

// parseProfile finds the profile in a MIG device's name, such as "NVIDIA H100
// 80GB HBM3 MIG 1c.3g.40gb+me": one compute slice of a GPU instance with three.
// It is empty where there is none.
func parseProfile(name string) profile {
	_, text, ok := strings.Cut(name, "MIG ")
	if !ok {
		return profile{}
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), " ")
	first, rest, _ := strings.Cut(text, ".")
	compute, isCompute := sliceCount(first, "c")
	if isCompute {
		text = rest
		first, _, _ = strings.Cut(rest, ".")
	}
	n, ok := sliceCount(first, "g")
	if !ok {
		return profile{}
	}
	if !isCompute {
		compute = n
	}
	return profile{text, n, compute}
}

// sliceCount reads "3g" or "1c".
func sliceCount(s, letter string) (int, bool) {
	digits, ok := strings.CutSuffix(s, letter)
	n, err := strconv.ParseUint(digits, 10, 8)
	return int(n), ok && err == nil && n > 0
}

// profileName makes the name of a profile of its size, for drivers that do not
// say it: memory counts in eighths of the GPU's, and GPUs are called by whole
// GiB. It is empty where the size is unknown.
func profileName(a nvml.DeviceAttributes, gpuBytes uint64) string {
	if a.GpuInstanceSliceCount == 0 || gpuBytes == 0 {
		return ""
	}
	const mib, gib = 1 << 20, 1 << 30
	eighths := math.Ceil(float64(a.MemorySizeMB) * mib / float64(gpuBytes) * 8)
	gb := math.Round(eighths / 8 * math.Ceil(float64(gpuBytes)/gib))
	return fmt.Sprintf("%dg.%.0fgb", a.GpuInstanceSliceCount, gb)
}

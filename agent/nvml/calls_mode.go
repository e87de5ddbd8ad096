package nvml

import (
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// readLicense gives 1 if a vGPU software licence is in force, and 0 if none
// is, also where none is needed.
func readLicense(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	l, code := ask[nvml.GridLicensableFeatures](d, fnLicense)
	n := min(int(l.LicensableFeaturesCount), len(l.GridLicensableFeatures))
	licensed := false
	for _, f := range l.GridLicensableFeatures[:n] {
		licensed = licensed || f.FeatureState != 0
	}
	out[0] = truth(licensed)
	return code
}

// readConfidential gives whether confidential computing is on; it is a
// property of the whole node.
func readConfidential(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	s := shared[nvml.ConfComputeSystemState](d)
	d.begin()
	code := callOne(d.lib.fn[fnConfidential], unsafe.Pointer(s))
	d.end()
	out[0] = truth(s.CcFeature != nvml.CC_SYSTEM_FEATURE_DISABLED)
	return code
}

// readProtected gives total and used bytes of memory that is protected by
// confidential computing.
func readProtected(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	m, code := ask[nvml.Memory](d, fnProtected)
	out[0], out[1] = float64(m.Total), float64(m.Used)
	return code
}

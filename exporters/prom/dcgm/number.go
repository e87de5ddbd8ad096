package dcgm

import (
	"math"
	"strconv"
	"strings"

	"github.com/gpumeter/gpumeter/metric"
)

// number says how a value in base units is written under a name of DCGM.
type number struct {
	factor   float64
	fraction bool // six decimals, as %f; else none, as %d
	down     bool // no decimals, cut off instead of rounded
}

const mebi = 1 << 20

// numberOf derives the number from our unit and from the name: a name that says
// its unit is in that unit, and all others in what DCGM has always had.
func numberOf(name string, g generation, unit metric.Unit) number {
	if n, ok := exceptions[name]; ok && g != genBase {
		return n
	}
	says := func(suffix string) bool { return strings.HasSuffix(strings.TrimSuffix(name, "_TOTAL"), suffix) }
	switch unit {
	case metric.Ratio:
		if strings.HasPrefix(name, "DCGM_FI_PROF_") || says("_RATIO") {
			return number{factor: 1, fraction: true}
		}
		return number{factor: 100}
	case metric.Bytes:
		if says("_BYTES") {
			return number{factor: 1}
		}
		return number{factor: 1.0 / mebi, down: true}
	case metric.Hertz:
		if says("_HERTZ") {
			return number{factor: 1}
		}
		return number{factor: 1e-6}
	case metric.Joules:
		if says("_JOULES") {
			return number{factor: 1, down: true}
		}
		return number{factor: 1e3}
	case metric.Seconds:
		if says("_SECONDS") {
			return number{factor: 1, fraction: true}
		}
		return number{factor: 1e9}
	case metric.Watts:
		return number{factor: 1, fraction: true}
	}
	return number{factor: 1}
}

// exceptions are the names that lie, and the ratios that are none of a time.
var exceptions = map[string]number{
	"DCGM_FI_DEV_GPU_UTIL_RATIO":  {factor: 100}, // until DCGM 4.7
	"DCGM_FI_DEV_FB_USED_PERCENT": {factor: 1, fraction: true},
	// KiB per second, divided by 1000.
	nvlinkOld: {factor: 1.0 / 1024 / 1000, down: true},
	nvlinkNew: {factor: 1.0 / 1024 / 1000, down: true},
}

// fits reports whether a value is known and can be written.
func (n number) fits(v float64) bool {
	return !math.IsNaN(v) && math.Abs(v*n.factor) < math.MaxInt64
}

// append writes a value that fits.
func (n number) append(dst []byte, v float64) []byte {
	v *= n.factor
	switch {
	case n.fraction:
		return strconv.AppendFloat(dst, v, 'f', 6, 64)
	case n.down:
		v = math.Floor(v)
	default:
		v = math.Round(v)
	}
	return strconv.AppendInt(dst, int64(v), 10)
}

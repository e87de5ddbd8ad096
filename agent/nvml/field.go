package nvml

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// fieldNumber returns the number in a field value; NaN where the driver wrote
// none that can be trusted.
func fieldNumber(v *nvml.FieldValue) float64 {
	switch {
	case v.FieldId >= nvml.FI_DEV_ECC_SBE_VOL_TOTAL && v.FieldId <= nvml.FI_DEV_ECC_DBE_AGG_CBU:
		// Drivers label these with a wrong type, and leave them as they were
		// when ECC is off: timestamp 0, type double.
		if v.Timestamp == 0 && nvml.ValueType(v.ValueType) == nvml.VALUE_TYPE_DOUBLE {
			return math.NaN()
		}
		return float64(binary.NativeEndian.Uint64(v.Value[:]))
	case v.FieldId == nvml.FI_DEV_MEMORY_TEMP:
		// Branch 545 calls it a double; it is an unsigned int.
		return float64(binary.NativeEndian.Uint32(v.Value[:]))
	}
	return typedNumber(nvml.ValueType(v.ValueType), &v.Value)
}

func typedNumber(typ nvml.ValueType, raw *[8]byte) float64 {
	u32, u64 := binary.NativeEndian.Uint32(raw[:]), binary.NativeEndian.Uint64(raw[:])
	switch typ {
	case nvml.VALUE_TYPE_DOUBLE:
		return math.Float64frombits(u64)
	case nvml.VALUE_TYPE_UNSIGNED_INT:
		return float64(u32)
	case nvml.VALUE_TYPE_UNSIGNED_LONG, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG:
		return float64(u64)
	case nvml.VALUE_TYPE_SIGNED_LONG_LONG:
		return float64(int64(u64))
	case nvml.VALUE_TYPE_SIGNED_INT:
		return float64(int32(u32))
	case nvml.VALUE_TYPE_UNSIGNED_SHORT:
		return float64(binary.NativeEndian.Uint16(raw[:]))
	}
	return math.NaN()
}

// baseValue turns a number of the driver into a row's base unit; NaN where it
// cannot be true.
func baseValue(s *Source, v float64) float64 {
	if s.Decode != nil {
		v = s.Decode(v)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) || v < s.Min || s.Max > 0 && v > s.Max || v >= notAvailable {
		return math.NaN()
	}
	return v * s.Scale
}

// errorRate takes a bit error rate apart: bits 0–7 are the exponent, 8–11 the
// mantissa (nvml.h).
func errorRate(v float64) float64 {
	if !(v >= 0 && v < 1<<12) {
		return math.NaN()
	}
	word := uint32(v)
	return float64(word>>8) * math.Pow10(-int(word&0xff))
}

// notAvailable is NVML_VALUE_NOT_AVAILABLE, -1, as an unsigned 64-bit number.
const notAvailable = 1 << 64

// wrapping counts on where the driver's counter has only 32 bits and starts
// again at zero. The zero wrapping has seen nothing.
type wrapping struct {
	known bool
	last  uint32
	total float64
}

// next returns the counter after the driver's value v.
func (w *wrapping) next(v uint32) float64 {
	if w.known {
		w.total += float64(v - w.last) // modulo 2³²
	}
	w.known, w.last = true, v
	return w.total
}

// readFields asks for all field values that are due, in one call for each
// batch, and puts them into the device's values.
func (d *device) readFields(o *outcome) {
	for n := range batches {
		if d.wantFields(n); len(d.batch) == 0 {
			continue
		}
		if d.readBatch(o); o.over() {
			return
		}
	}
}

// wantFields makes the batch with a number of the fields that are due.
func (d *device) wantFields(n int) {
	d.batch, d.batchOf = d.batch[:0], d.batchOf[:0]
	for i := range d.plan.fields {
		f := &d.plan.fields[i]
		if f.batch != n || !d.fieldDue[i].now(d.now) || f.or >= 0 && !d.fieldDue[f.or].absent {
			continue
		}
		d.batch = append(d.batch, nvml.FieldValue{FieldId: f.src.Field, ScopeId: f.src.Scope})
		d.batchOf = append(d.batchOf, i)
	}
}

func (d *device) readBatch(o *outcome) {
	code := d.getFields(d.batch)
	if code == nvml.ERROR_INVALID_ARGUMENT || code == nvml.ERROR_NOT_SUPPORTED {
		// One id that an old driver does not know must not hide the others.
		for i := range d.batch {
			one := d.batch[i : i+1]
			if code := d.getFields(one); code != nvml.SUCCESS {
				one[0].NvmlReturn = uint32(code)
			}
			d.putField(&d.batch[i], d.batchOf[i], o)
		}
		return
	}
	for i := range d.batch {
		if code != nvml.SUCCESS {
			d.batch[i].NvmlReturn = uint32(code)
		}
		d.putField(&d.batch[i], d.batchOf[i], o)
	}
}

func (d *device) getFields(batch []nvml.FieldValue) nvml.Return {
	d.begin()
	code := callArg(d.lib.fn[fnFields], d.handle, uint32(len(batch)), unsafe.Pointer(&batch[0]))
	d.end()
	return code
}

// putField takes over one field value; i is its place in the plan.
func (d *device) putField(v *nvml.FieldValue, i int, o *outcome) {
	f, t := &d.plan.fields[i], &d.fieldDue[i]
	code := nvml.Return(v.NvmlReturn)
	o.note(code)
	t.after(code, d.now, d.cadence(t, f.every))
	switch {
	case code == nvml.SUCCESS:
		d.values[f.row] = baseValue(f.src, d.fieldValue(v, i))
	case !t.absent || f.src.Or == nil: // else the row is its stand-in's
		d.values[f.row] = math.NaN()
	}
}

func (d *device) fieldValue(v *nvml.FieldValue, i int) float64 {
	io := v.FieldId == nvml.FI_DEV_PCIE_COUNT_TX_BYTES || v.FieldId == nvml.FI_DEV_PCIE_COUNT_RX_BYTES
	if io && nvml.ValueType(v.ValueType) == nvml.VALUE_TYPE_UNSIGNED_INT {
		return d.wrap[i].next(binary.NativeEndian.Uint32(v.Value[:]))
	}
	return fieldNumber(v)
}

package otlp

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

// Attributes for which the conventions have no word.
const (
	keyIndex    = attribute.Key("gpu.index")       // the driver's number, changes across reboots
	keyInstance = attribute.Key("gpu.instance.id") // the driver's, of a part of a divided GPU
	keyProfile  = attribute.Key("gpu.instance.profile")
)

const vendor = "NVIDIA"

// text appends an attribute, unless it is unknown.
func text(kvs []attribute.KeyValue, key attribute.Key, value string) []attribute.KeyValue {
	if value == "" {
		return kvs
	}
	return append(kvs, key.String(exporters.Text(value)))
}

// gpuAttributes appends what tells a GPU from others.
func gpuAttributes(kvs []attribute.KeyValue, g *metric.GPU, driver string) []attribute.KeyValue {
	kvs = append(kvs, semconv.HwTypeGpu, semconv.HwVendor(vendor), keyIndex.Int(g.Index))
	kvs = text(kvs, semconv.HwIDKey, g.UUID)
	kvs = text(kvs, semconv.HwNameKey, g.Device)
	kvs = text(kvs, semconv.HwModelKey, g.Name)
	kvs = text(kvs, semconv.HwSerialNumberKey, g.Serial)
	kvs = text(kvs, semconv.HwFirmwareVersionKey, g.VBIOS)
	return text(kvs, semconv.HwDriverVersionKey, driver)
}

// instanceAttributes appends what tells a part of a GPU from the others. Its
// hw.id comes after the GPU's and wins.
func instanceAttributes(kvs []attribute.KeyValue, g *metric.GPU, in *metric.Instance) []attribute.KeyValue {
	id := g.UUID + "/" + strconv.Itoa(in.ID)
	if len(in.Compute) == 1 && in.Compute[0].UUID != "" {
		id = in.Compute[0].UUID
	}
	kvs = text(kvs, semconv.HwIDKey, id)
	kvs = text(kvs, semconv.HwParentKey, g.UUID)
	kvs = text(kvs, keyProfile, in.Profile)
	return append(kvs, keyInstance.Int(in.ID))
}

// pointAttributes appends what tells a point from others of its subject.
func pointAttributes(kvs []attribute.KeyValue, p *exporters.Point) []attribute.KeyValue {
	for _, a := range p.Desc.OTel.Attributes {
		kvs = text(kvs, attribute.Key(a.Name), a.Value)
	}
	for _, l := range p.Desc.Labels {
		if !said(p.Desc.OTel.Attributes, l.Value) {
			kvs = text(kvs, attribute.Key(l.Name), l.Value)
		}
	}
	for _, l := range p.Extra {
		kvs = text(kvs, attribute.Key(l.Name), l.Value)
		if p.Desc == exporters.Xids && l.Name == "xid" {
			kvs = append(kvs, semconv.ErrorTypeKey.String("xid_"+l.Value))
		}
	}
	return kvs
}

// said reports whether a value stands in an attribute of the conventions
// already: direction="receive" is network.io.direction="receive".
func said(attributes []metric.Label, value string) bool {
	for _, a := range attributes {
		if a.Value == value {
			return true
		}
	}
	return false
}

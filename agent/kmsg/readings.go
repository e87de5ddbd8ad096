package kmsg

import "github.com/gpumeter/gpumeter/metric"

// The metrics of reading the log.
var (
	upDesc       = &metric.Desc{Name: "gpumeter.kmsg.up", Help: "1 if the kernel's log is read. Without it errors come from the driver library alone."}
	lostDesc     = &metric.Desc{Name: "gpumeter.kmsg.lost", Kind: metric.Counter, Help: "Records of the kernel's log that were overwritten before they were read."}
	droppedDesc  = &metric.Desc{Name: "gpumeter.kmsg.dropped", Kind: metric.Counter, Help: "Error reports in the kernel's log that there was no room to count."}
	firmwareDesc = &metric.Desc{Name: "gpumeter.kmsg.firmware", Kind: metric.Counter, Help: "Lines of the kernel's log in which the driver says that a GPU's firmware does not answer, without an error code."}
	downDescs    = []*metric.Desc{downDesc(ReasonPermission), downDesc(ReasonAbsent), downDesc(ReasonError)}
)

func downDesc(reason string) *metric.Desc {
	return &metric.Desc{
		Name: "gpumeter.kmsg.down", Labels: []metric.Label{{Name: "reason", Value: reason}},
		Help: "1 with the reason, while the kernel's log is not read.",
	}
}

// Descs lists the metrics that Readings may have.
func Descs() []*metric.Desc {
	return append([]*metric.Desc{upDesc, lostDesc, droppedDesc, firmwareDesc}, downDescs...)
}

// Readings returns how reading the log goes, as readings of the node.
func (s Stats) Readings() []metric.Reading {
	out := []metric.Reading{{Desc: upDesc}, {Desc: lostDesc, Value: float64(s.Lost)}, {Desc: droppedDesc, Value: float64(s.Dropped)}, {Desc: firmwareDesc, Value: float64(s.Firmware)}}
	if s.Up {
		out[0].Value = 1
	}
	for _, d := range downDescs {
		if !s.Up && d.Labels[0].Value == s.Reason {
			out = append(out, metric.Reading{Desc: d, Value: 1})
		}
	}
	return out
}

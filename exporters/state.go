package exporters

import "github.com/gpumeter/gpumeter/metric"

// The metrics that come from no table: what a node and a GPU are, and whether
// they can be looked at. An info is 1 and says everything in its labels.
var (
	NodeInfo   = &metric.Desc{Name: "gpumeter.node.info", Help: "Where this node stands and under whose account. Empty is unknown."}
	DriverUp   = &metric.Desc{Name: "gpumeter.driver.up", Help: "1 if the driver library answers."}
	DriverDown = &metric.Desc{Name: "gpumeter.driver.down", Help: "1 with the reason, while the driver library does not answer."}
	DriverInfo = &metric.Desc{Name: "gpumeter.driver.info", Help: "Version of the kernel driver and of its library."}
	DriverGPUs = &metric.Desc{Name: "gpumeter.driver.gpus", Help: "GPUs that the driver counts, also those that do not answer."}
	Nameless   = &metric.Desc{Name: "gpumeter.driver.nameless", Help: "1 with the reason, for a GPU that the driver counts and that never said who it is; index is the driver's."}

	Info       = &metric.Desc{Name: "gpu.info", Help: "What this GPU is, and where it sits."}
	Up         = &metric.Desc{Name: "gpu.up", Help: "1 if the GPU answered at the last look, 0 if it is lost or not observed."}
	Lost       = &metric.Desc{Name: "gpu.lost", Help: "1 while the driver says that the GPU is gone from the bus."}
	Unobserved = &metric.Desc{Name: "gpu.unobserved", Help: "1 with the reason, while nothing is known of the GPU. Its readings are absent, not zero."}
	Holders    = &metric.Desc{Name: "gpu.holders", Help: "How many holders the GPU has. Absent while no source knows."}
	HolderInfo = &metric.Desc{Name: "gpu.holder.info", Help: "Who has the GPU, and how that is known. Labels of a pod that may be told stand in labels of their own, team in label_team."}

	InstanceInfo = &metric.Desc{Name: "gpu.instance.info", Help: "One compute instance of a divided GPU: what a process sees as its GPU."}

	Xids    = &metric.Desc{Name: "gpu.xid", Kind: metric.Counter, Help: "Errors that the driver reported, by code; at least, as the driver and the kernel's log drop some.", OTel: metric.Alias{Name: "hw.errors"}}
	XidLast = &metric.Desc{Name: "gpu.xid.last.timestamp", Unit: metric.Seconds, Help: "When an error was last reported, in seconds since 1970."}
)

// State lists the metrics that come from no table.
func State() []*metric.Desc {
	return []*metric.Desc{NodeInfo, DriverUp, DriverDown, DriverInfo, DriverGPUs, Nameless, Info, Up, Lost, Unobserved, Holders, HolderInfo, InstanceInfo, Xids, XidLast}
}

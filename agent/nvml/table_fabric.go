package nvml

import "github.com/gpumeter/gpumeter/metric"

// fabricRows are how a GPU stands to the NVLink fabric of its node or rack.
var fabricRows = append([]Row{
	{metric.Desc{Name: "gpu.fabric.state", Help: "Registration of the GPU with the NVLink fabric: 1 not started, 2 in progress, 3 completed."}, fabric(fabricStatePart)},
	{metric.Desc{Name: "gpu.fabric.health.summary", Help: "Health of the GPU's part of the NVLink fabric: 1 healthy, 2 unhealthy, 3 limited capacity.",
		DCGM: "DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY", DCGMOld: "DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY"}, fabric(fabricSummaryPart)},
	{metric.Desc{Name: "gpu.fabric.configuration", Help: "What is wrong with the fabric's configuration: 0 nothing, 1 system GUID, 2 chassis serial number, 3 no partition, 4 too few NVLinks, 5 GPU firmware, 6 location, 7 GPU state."}, fabric(fabricConfigurationPart)},
}, fabricHealthRows()...)

var fabricDetailRows = grouped("fabric",
	Row{metric.Desc{Name: "gpu.fabric.status", Help: "Error code of the completed registration with the NVLink fabric, 0 for none."}, fabric(fabricStatusPart)},
	Row{metric.Desc{Name: "gpu.fabric.health.mask", Help: "Health of the GPU's part of the NVLink fabric, as the driver's bit mask.",
		DCGM: "DCGM_FI_DEV_FABRIC_HEALTH_MASK", DCGMOld: "DCGM_FI_DEV_FABRIC_HEALTH_MASK"}, fabric(fabricMaskPart)},
)

func fabric(part int) Source { return Source{Call: callFabric, Part: part, Scale: one, Every: slow} }

func fabricHealthRows() []Row {
	rows := make([]Row, len(fabricConditions))
	for i, c := range fabricConditions {
		rows[i] = Row{metric.Desc{Name: "gpu.fabric.trouble", Help: "1 if the GPU's part of the NVLink fabric has a trouble.", Labels: label("type", c.word)},
			fabric(fabricHealthPart + i)}
	}
	return rows
}

package cloud

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// mark is a string in the firmware's tables by which a cloud is known.
type mark struct {
	file, pattern string // below /sys/class/dmi/id, and as in path.Match
	provider      string
}

// marks are those that the clouds document, or that cloud-init's ds-identify
// goes by. Lambda, Together and Crusoe leave no mark that they document: there
// the operator or Kubernetes says.
var marks = []mark{
	{"sys_vendor", "Amazon EC2", "aws"},
	{"bios_version", "*.amazon", "aws"}, // instances on Xen, as p3
	{"chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "azure"},
	{"product_name", "Google Compute Engine", "google"},
	{"chassis_asset_tag", "OracleCloud.com", "oracle"},
}

// machines are vendors of virtual machines, whose product name says nothing of
// what was rented.
var machines = map[string]bool{
	"QEMU": true, "Red Hat": true, "KubeVirt": true, "OpenStack Foundation": true, "Xen": true, "VMware, Inc.": true,
	"Microsoft Corporation": true, "innotek GmbH": true, "Parallels Software International Inc.": true, "Bochs": true, "Nutanix": true,
}

// nebiusMark is the folder that Nebius mounts into its instances.
const nebiusMark = "mnt/cloud-metadata"

// recognise reads the firmware's tables. On bare metal that is in no known
// cloud, the vendor and product are the instance type.
func recognise(root string) reply {
	var r reply
	read := func(file string) string { return readName(filepath.Join(root, "sys/class/dmi/id", file)) }
	for _, m := range marks {
		if ok, err := path.Match(m.pattern, read(m.file)); err == nil && ok {
			r.Provider = m.provider
			return r
		}
	}
	if _, err := os.Stat(filepath.Join(root, nebiusMark, "instance-id")); err == nil {
		r.Provider = "nebius"
		return r
	}
	if vendor, product := read("sys_vendor"), read("product_name"); vendor != "" && product != "" && !machines[vendor] {
		r.Otherwise.InstanceType = name(vendor + " " + product)
	}
	return r
}

// readName returns the first line of a file if it is a name.
func readName(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return name(line)
}

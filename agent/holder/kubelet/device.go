package kubelet

import (
	"strconv"
	"strings"
)

// Device is a GPU, or an instance of one, in the words in which a container was
// given it. Either UUID or Node is set.
type Device struct {
	// UUID is that of a GPU ("GPU-…") or of a MIG compute instance ("MIG-…").
	UUID string
	// Node is the name of the GPU below /dev, "nvidia0".
	Node string
	// Part says which instance of the GPU it is, in one of three ways; nil is the
	// GPU itself, or the instance that UUID names.
	Part *Part
}

// Part is an instance of a divided GPU. A driver that makes instances on
// demand names only their profile.
type Part struct {
	Instance int    // GPU instance id, -1 where only Profile is known
	Compute  int    // compute instance id, -1 where it is not told
	Profile  string // "1g.10gb", empty where Instance is known
}

// uuidLen is the length of "GPU-" or "MIG-" and a UUID.
const uuidLen = 4 + 36

// ParseDevice reads the id that a device plugin gave a GPU; false for the id of
// another kind of device. Known are
//
//	GPU-8dd8…        a GPU; what follows the UUID is a share of it: GPU-8dd8…::3
//	MIG-1a2b…        a MIG instance, or a share of it
//	MIG-GPU-8dd8…/5/0  the same in the words of drivers before 470
//	nvidia0, nvidia0/gi5, nvidia0/gi5/vgpu1  Google's plugin
func ParseDevice(id string) (Device, bool) {
	switch {
	case strings.HasPrefix(id, "MIG-GPU-"):
		return parseOldInstance(strings.TrimPrefix(id, "MIG-"))
	case strings.HasPrefix(id, "GPU-"), strings.HasPrefix(id, "MIG-"):
		if !isUUID(id) {
			return Device{}, false
		}
		return Device{UUID: strings.Clone(id[:uuidLen])}, true
	case strings.HasPrefix(id, "nvidia"):
		return parseNode(id)
	}
	return Device{}, false
}

// isUUID reports whether s begins with a UUID behind its kind.
func isUUID(s string) bool {
	if len(s) < uuidLen {
		return false
	}
	for i := 4; i < uuidLen; i++ {
		c := s[i]
		switch i {
		case 12, 17, 22, 27:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}

func parseOldInstance(id string) (Device, bool) {
	if !isUUID(id) || len(id) <= uuidLen {
		return Device{}, false
	}
	rest, _, _ := strings.Cut(id[uuidLen:], "::")
	words := strings.Split(rest, "/")
	if len(words) != 3 || words[0] != "" {
		return Device{}, false
	}
	gi, ok1 := number(words[1])
	ci, ok2 := number(words[2])
	return Device{UUID: strings.Clone(id[:uuidLen]), Part: &Part{Instance: gi, Compute: ci}}, ok1 && ok2
}

func parseNode(id string) (Device, bool) {
	id, _, _ = strings.Cut(id, "/vgpu")
	id, _, _ = strings.Cut(id, "::")
	node, instance, divided := strings.Cut(id, "/gi")
	if _, ok := number(strings.TrimPrefix(node, "nvidia")); !ok {
		return Device{}, false
	}
	d := Device{Node: strings.Clone(node)}
	if divided {
		gi, ok := number(instance)
		if !ok {
			return Device{}, false
		}
		d.Part = &Part{Instance: gi, Compute: -1}
	}
	return d, true
}

// claimDriver is the driver that allocates GPUs dynamically.
const claimDriver = "gpu.nvidia.com"

// ParseClaim reads the name that a driver of dynamic resource allocation gave a
// device; false for what is no GPU. Known are those of gpu.nvidia.com:
//
//	gpu-0                     by the number of its device node
//	gpu-0-mig-1g18gb-19-0     an instance, by profile, its number and place
//	gpu-0-mig-9-0-1           the same in older words, where no name is known
func ParseClaim(driver, device string) (Device, bool) {
	rest, ok := strings.CutPrefix(device, "gpu-")
	if driver != claimDriver || !ok {
		return Device{}, false
	}
	minor, instance, divided := strings.Cut(rest, "-mig-")
	if _, ok := number(minor); !ok {
		return Device{}, false // passed through to a virtual machine, or new words
	}
	d := Device{Node: "nvidia" + minor}
	if divided {
		d.Part = &Part{Instance: -1, Compute: -1, Profile: profile(instance)}
	}
	return d, true
}

// profile returns "1g.18gb" for "1g18gb-19-0", and nothing where there is no name.
func profile(s string) string {
	name, _, _ := strings.Cut(s, "-")
	slices, memory, ok := strings.Cut(name, "g")
	if _, isNumber := number(slices); !ok || !isNumber || memory == "" {
		return ""
	}
	return slices + "g." + strings.TrimPrefix(memory, ".")
}

// number reads a small decimal number without sign or leading zeros.
func number(s string) (int, bool) {
	if len(s) == 0 || len(s) > 4 || len(s) > 1 && s[0] == '0' || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

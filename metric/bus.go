package metric

import (
	"fmt"
	"strconv"
	"strings"
)

// BusID returns a PCI bus id as the kernel writes it, "0000:9b:00", whatever
// the spelling: NVML's "00000000:9B:00.0", with a function or without, in
// capitals or not. ok is false for what is no bus id.
func BusID(s string) (id string, ok bool) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return "", false
	}
	device, function, has := strings.Cut(parts[2], ".")
	if has {
		if _, ok := hex(function, 1); !ok {
			return "", false
		}
	}
	domain, ok1 := hex(parts[0], 8)
	bus, ok2 := hex(parts[1], 2)
	dev, ok3 := hex(device, 2)
	if !ok1 || !ok2 || !ok3 {
		return "", false
	}
	return fmt.Sprintf("%04x:%02x:%02x", domain, bus, dev), true
}

// hex reads a number of at most so many hexadecimal digits.
func hex(s string, digits int) (uint64, bool) {
	if len(s) > digits || strings.HasPrefix(s, "+") {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 16, 32)
	return v, err == nil
}

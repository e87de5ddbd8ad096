package nvml

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// soname is the driver library, as the loader knows it.
const soname = "libnvidia-ml.so.1"

// searchPaths is where drivers, containers and clouds put the library. The
// loader's own search comes after it.
var searchPaths = []string{
	"/usr/lib/x86_64-linux-gnu",                    // Debian, Ubuntu, container toolkit
	"/usr/lib/aarch64-linux-gnu",                   // the same on Grace
	"/usr/lib64",                                   // RHEL, SUSE, Amazon
	"/usr/lib",                                     // Arch
	"/usr/local/nvidia/lib64",                      // Google Kubernetes Engine, in the container
	"/home/kubernetes/bin/nvidia/lib64",            // the same, on the node
	"/run/nvidia/driver/usr/lib/x86_64-linux-gnu",  // GPU operator's driver container
	"/run/nvidia/driver/usr/lib/aarch64-linux-gnu", //
	"/run/nvidia/driver/usr/lib64",                 //
	"/usr/lib/wsl/lib",                             // WSL
	"/run/opengl-driver/lib",                       // NixOS
	"/opt/nvidia/driver/lib64",                     // Talos and friends
}

// library is an open driver library. A function that it lacks is nil, and
// calling it returns missing.
type library struct {
	path string
	fn   [functions]unsafe.Pointer
}

// openLibrary opens the library at an absolute path or, if that is empty, the
// first that it finds. It stays open until the process ends: a stuck call may
// still be inside of it.
func openLibrary(path string) (*library, error) {
	var tried []string
	for _, p := range candidates(path) {
		if filepath.IsAbs(p) && !isFile(p) {
			tried = append(tried, p)
			continue
		}
		handle, err := open(p)
		if err != nil {
			tried = append(tried, p+" ("+err.Error()+")")
			continue
		}
		return resolve(handle, p)
	}
	return nil, fmt.Errorf("open the NVIDIA driver library: not at %s", strings.Join(tried, ", "))
}

// Find returns the path of the driver library in the usual places, empty if it
// is in none of them. The loader may still know of another. It opens nothing.
func Find() string {
	for _, dir := range searchPaths {
		if path := dir + "/" + soname; isFile(path) {
			return path
		}
	}
	return ""
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func candidates(path string) []string {
	if path != "" {
		return []string{path}
	}
	var out []string
	for _, dir := range searchPaths {
		out = append(out, dir+"/"+soname)
	}
	return append(out, soname)
}

func resolve(handle unsafe.Pointer, path string) (*library, error) {
	l := &library{path: path}
	for f, names := range symbols {
		for _, name := range names {
			if l.fn[f] = lookup(handle, name); l.fn[f] != nil {
				break
			}
		}
	}
	for _, f := range required {
		if l.fn[f] == nil {
			return nil, fmt.Errorf("driver library %s has no %s", path, symbols[f][0])
		}
	}
	return l, nil
}

// init initialises the driver for this process. It may take seconds per GPU.
func (l *library) init() error {
	if code := callNone(l.fn[fnInit]); code != nvml.SUCCESS {
		return &driverError{"initialise " + l.path, code}
	}
	return nil
}

// shutdown lets go of the driver.
func (l *library) shutdown() { _ = callNone(l.fn[fnShutdown]) }

func (l *library) count() (int, nvml.Return) {
	var n uint32
	code := callOne(l.fn[fnCount], unsafe.Pointer(&n))
	return int(n), code
}

// text asks for a string of the whole driver; empty if it has none.
func (l *library) text(f function) string {
	var buf [96]byte
	if callText(l.fn[f], buf[:]) != nvml.SUCCESS {
		return ""
	}
	return cString(buf[:])
}

// driverError is an error code of the driver, with what was tried.
type driverError struct {
	verb string
	code nvml.Return
}

func (e *driverError) Error() string {
	return fmt.Sprintf("%s: NVML %s (%d)", e.verb, codeWords(e.code), int(e.code))
}

// codeWords is an error code in words.
func codeWords(code nvml.Return) string {
	return strings.ToLower(strings.TrimPrefix(code.Error(), "ERROR_"))
}

func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

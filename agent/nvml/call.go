package nvml

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// One function for each shape of driver function, so that a call needs no
// memory of its own and a symbol that the library lacks is a nil pointer here
// instead of the end of the process.

typedef unsigned long long ull;

static int call_none(void *fn) { return ((int (*)(void))fn)(); }
static int call_one(void *fn, void *a) { return ((int (*)(void *))fn)(a); }
static int call_text(void *fn, char *to, unsigned n) { return ((int (*)(char *, unsigned))fn)(to, n); }
static int call_index(void *fn, unsigned i, void *to) { return ((int (*)(unsigned, void *))fn)(i, to); }
static int call_out(void *fn, void *d, void *to) { return ((int (*)(void *, void *))fn)(d, to); }
static int call_arg(void *fn, void *d, unsigned arg, void *to) { return ((int (*)(void *, unsigned, void *))fn)(d, arg, to); }
static int call_two(void *fn, void *d, void *a, void *b) { return ((int (*)(void *, void *, void *))fn)(d, a, b); }
static int call_three(void *fn, void *d, void *a, void *b, void *c) { return ((int (*)(void *, void *, void *, void *))fn)(d, a, b, c); }
static int call_errors(void *fn, void *d, unsigned type, unsigned kind, unsigned place, void *to) {
	return ((int (*)(void *, unsigned, unsigned, unsigned, void *))fn)(d, type, kind, place, to);
}
static int call_name(void *fn, void *d, char *to, unsigned n) { return ((int (*)(void *, char *, unsigned))fn)(d, to, n); }
static int call_samples(void *fn, void *d, unsigned kind, ull last, void *type, void *n, void *to) {
	return ((int (*)(void *, unsigned, ull, void *, void *, void *))fn)(d, kind, last, type, n, to);
}
static int call_register(void *fn, void *d, ull types, void *set) { return ((int (*)(void *, ull, void *))fn)(d, types, set); }
static int call_wait(void *fn, void *set, void *to, unsigned ms) { return ((int (*)(void *, void *, unsigned))fn)(set, to, ms); }

#cgo noescape call_one
#cgo noescape call_text
#cgo noescape call_index
#cgo noescape call_out
#cgo noescape call_arg
#cgo noescape call_two
#cgo noescape call_three
#cgo noescape call_errors
#cgo noescape call_name
#cgo noescape call_samples
#cgo noescape call_register
#cgo noescape call_wait
#cgo nocallback call_none
#cgo nocallback call_one
#cgo nocallback call_text
#cgo nocallback call_index
#cgo nocallback call_out
#cgo nocallback call_arg
#cgo nocallback call_two
#cgo nocallback call_three
#cgo nocallback call_errors
#cgo nocallback call_name
#cgo nocallback call_samples
#cgo nocallback call_register
#cgo nocallback call_wait
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// missing is what a call to a function returns that the library lacks.
const missing = nvml.ERROR_FUNCTION_NOT_FOUND

// The go-nvml module gives us NVML's types, constants and error names. Its
// functions are not used: each allocates its results, once a second and GPU
// and function, and calling one that the driver lacks kills the process.

// open loads a shared library.
func open(path string) (unsafe.Pointer, error) {
	runtime.LockOSThread() // the error is kept for the thread that made it
	defer runtime.UnlockOSThread()
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	handle := C.dlopen(name, C.RTLD_LAZY|C.RTLD_LOCAL)
	if handle == nil {
		return nil, errors.New(C.GoString(C.dlerror()))
	}
	return handle, nil
}

// lookup returns a function of an open library, nil if there is none.
func lookup(handle unsafe.Pointer, name string) unsafe.Pointer {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	return C.dlsym(handle, s)
}

func callNone(fn unsafe.Pointer) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_none(fn))
}

func callOne(fn, a unsafe.Pointer) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_one(fn, a))
}

func callText(fn unsafe.Pointer, to []byte) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_text(fn, (*C.char)(unsafe.Pointer(&to[0])), C.unsigned(len(to))))
}

func callIndex(fn unsafe.Pointer, i int, to unsafe.Pointer) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_index(fn, C.unsigned(i), to))
}

func callOut(fn, device, to unsafe.Pointer) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_out(fn, device, to))
}

func callArg(fn, device unsafe.Pointer, arg uint32, to unsafe.Pointer) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_arg(fn, device, C.unsigned(arg), to))
}

func callTwo(fn, device, a, b unsafe.Pointer) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_two(fn, device, a, b))
}

func callThree(fn, device, a, b, c unsafe.Pointer) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_three(fn, device, a, b, c))
}

// errorCounter names one of nvmlDeviceGetMemoryErrorCounter's counters.
type errorCounter struct{ typ, kind, place uint32 }

func callErrors(fn, device unsafe.Pointer, c errorCounter, to unsafe.Pointer) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_errors(fn, device, C.unsigned(c.typ), C.unsigned(c.kind), C.unsigned(c.place), to))
}

func callName(fn, device unsafe.Pointer, to []byte) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_name(fn, device, (*C.char)(unsafe.Pointer(&to[0])), C.unsigned(len(to))))
}

// sampleCall is what nvmlDeviceGetSamples takes and gives besides the samples.
type sampleCall struct {
	kind  nvml.SamplingType
	last  uint64 // µs since the epoch
	typ   uint32
	count uint32
}

func callSamples(fn, device unsafe.Pointer, c *sampleCall, to *nvml.Sample) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_samples(fn, device, C.unsigned(c.kind), C.ull(c.last),
		unsafe.Pointer(&c.typ), unsafe.Pointer(&c.count), unsafe.Pointer(to)))
}

func callRegister(fn, device unsafe.Pointer, types uint64, set unsafe.Pointer) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_register(fn, device, C.ull(types), set))
}

func callWait(fn, set unsafe.Pointer, to *eventData, ms uint32) nvml.Return {
	if fn == nil {
		return missing
	}
	return nvml.Return(C.call_wait(fn, set, unsafe.Pointer(to), C.unsigned(ms)))
}

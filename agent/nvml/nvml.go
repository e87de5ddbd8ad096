// Package nvml reads the GPUs of this node through the NVIDIA driver library,
// in a child process.
//
// A driver call that the kernel does not answer never returns, and no signal
// ends it. So the program re-executes itself as a worker (RunWorker), which
// alone opens libnvidia-ml.so.1, and the parent's Reader only listens to it:
// the Reader never waits for the driver, and a worker that is stuck is left
// behind.
//
// What is read is one table (Table); everything else here is about not being
// stopped, killed or lied to by the driver while reading it.
package nvml

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// ReasonResetRequired is the reason of a GPU that the driver will not use
// before it is reset.
const ReasonResetRequired = "reset_required"

// BootClock returns the time since the node booted, sleep included
// (CLOCK_BOOTTIME): the clock of every At and Since.
func BootClock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // not since Linux 2.6.39
	}
	return time.Duration(ts.Nano())
}

// reasonFor returns the reason that stands for a driver's error code.
func reasonFor(code nvml.Return) string {
	switch code {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return metric.ReasonNoDriver
	case nvml.ERROR_DRIVER_NOT_LOADED, nvml.ERROR_UNINITIALIZED, nvml.ERROR_NOT_READY:
		return metric.ReasonNotLoaded
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return metric.ReasonMismatch
	case nvml.ERROR_NO_PERMISSION, nvml.ERROR_OPERATING_SYSTEM:
		return metric.ReasonPermission
	case nvml.ERROR_GPU_IS_LOST:
		return metric.ReasonLost
	case nvml.ERROR_RESET_REQUIRED:
		return ReasonResetRequired
	}
	return metric.ReasonError
}

// driverGone reports whether a code says that the whole driver went away, so
// that only a new process can find it again.
func driverGone(code nvml.Return) bool {
	switch code {
	case nvml.ERROR_DRIVER_NOT_LOADED, nvml.ERROR_UNINITIALIZED, nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return true
	}
	return false
}

// unsupported reports whether a code says that asking again soon is useless.
func unsupported(code nvml.Return) bool {
	switch code {
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_DEPRECATED,
		nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_ARGUMENT_VERSION_MISMATCH, nvml.ERROR_NO_PERMISSION:
		return true
	}
	return false
}

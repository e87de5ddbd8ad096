package nvml

import (
	"cmp"
	"math"
	"slices"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// maxProcesses bounds the list of one GPU.
const maxProcesses = 4096

// processLists are the driver's lists of the processes that hold a GPU.
var processLists = [...]function{fnCompute, fnGraphics, fnMPS}

// processes is who holds a GPU, from all of the driver's lists.
type processes struct {
	known bool
	list  []metric.Process
	next  [len(processLists)]due
}

// readProcesses reads who holds the GPU. A divided GPU has the processes of its
// instances, see readInstances.
func (d *device) readProcesses(o *outcome) {
	if !d.mig.on {
		d.listProcesses(&d.procs, o)
	}
}

// listProcesses reads all lists. The holders are known if the compute list is:
// it is the one that every GPU has.
func (d *device) listProcesses(p *processes, o *outcome) {
	p.known, p.list = false, p.list[:0]
	for i, f := range processLists {
		if !p.next[i].now(d.now) {
			continue
		}
		n, code := d.getProcesses(f)
		o.note(code)
		p.next[i].after(code, d.now, 0)
		if code != nvml.SUCCESS {
			if !unsupported(code) {
				p.known, p.list = false, p.list[:0]
				return // a list is missing: nobody can say who is in it
			}
			continue
		}
		p.known = p.known || f == fnCompute
		for _, info := range d.procBuf[:n] {
			p.list = append(p.list, metric.Process{PID: int(info.Pid), MemoryBytes: memoryOf(info)})
		}
	}
	p.list = mergeProcesses(p.list)
}

// getProcesses fills the buffer from one list, making it larger if it must.
func (d *device) getProcesses(f function) (int, nvml.Return) {
	for {
		if d.procBuf == nil {
			d.procBuf = make([]nvml.ProcessInfo, 16)
		}
		n := &d.scratch.number
		*n = uint32(len(d.procBuf))
		d.begin()
		code := callTwo(d.lib.fn[f], d.handle, unsafe.Pointer(n), unsafe.Pointer(&d.procBuf[0]))
		d.end()
		if code != nvml.ERROR_INSUFFICIENT_SIZE || len(d.procBuf) == maxProcesses {
			return min(int(*n), len(d.procBuf)), code
		}
		// More may start before the next call.
		d.procBuf = make([]nvml.ProcessInfo, min(max(int(*n)+16, 2*len(d.procBuf)), maxProcesses))
	}
}

func memoryOf(info nvml.ProcessInfo) uint64 {
	if info.UsedGpuMemory == math.MaxUint64 { // NVML_VALUE_NOT_AVAILABLE
		return 0
	}
	return info.UsedGpuMemory
}

// mergeProcesses sorts by process id and keeps one entry of each process. A
// process in several lists holds the larger amount: the lists show the same
// memory. Entries without a process id are an old driver's mistake.
func mergeProcesses(list []metric.Process) []metric.Process {
	slices.SortFunc(list, func(a, b metric.Process) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(b.MemoryBytes, a.MemoryBytes))
	})
	list = slices.CompactFunc(list, func(a, b metric.Process) bool { return a.PID == b.PID })
	return slices.DeleteFunc(list, func(p metric.Process) bool { return p.PID <= 0 })
}

// Package holder finds out who holds a GPU. Its first source is the driver's
// process list: the users whose processes have the GPU open.
package holder

import (
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// Process names the users of a GPU's processes. The zero Process works. It is
// not safe for concurrent use: it remembers names.
type Process struct {
	// Proc is the root of the process file system, "/proc" if empty.
	Proc  string
	names map[uint32]string
}

// Holders returns one holder per user with a process on the GPU, sorted by
// name. known is false if the driver did not list the processes. A process
// that ended in between, or whose owner cannot be seen, still holds the GPU:
// its holder is "unknown".
func (p *Process) Holders(l metric.Look) (holders []usage.Holder, known bool) {
	if !l.ProcessesKnown {
		return nil, false
	}
	for _, x := range l.Processes {
		h := usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: p.owner(x.PID)}
		if !slices.Contains(holders, h) {
			holders = append(holders, h)
		}
	}
	slices.SortFunc(holders, func(a, b usage.Holder) int { return strings.Compare(a.Name, b.Name) })
	return holders, true
}

// owner returns the name of the user that a process runs as.
func (p *Process) owner(pid int) string {
	root := p.Proc
	if root == "" {
		root = "/proc"
	}
	var st syscall.Stat_t
	if err := syscall.Stat(root+"/"+strconv.Itoa(pid), &st); err != nil {
		return "unknown"
	}
	return p.name(st.Uid)
}

// name looks a user up once: a node has few, and a look-up may ask a
// directory server.
func (p *Process) name(uid uint32) string {
	if n, ok := p.names[uid]; ok {
		return n
	}
	n := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(n); err == nil {
		n = u.Username
	}
	if p.names == nil {
		p.names = map[uint32]string{}
	}
	p.names[uid] = n
	return n
}

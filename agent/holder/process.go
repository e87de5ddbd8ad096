package holder

import (
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gpumeter/gpumeter/agent/holder/cgroup"
	"github.com/gpumeter/gpumeter/agent/holder/slurm"
	"github.com/gpumeter/gpumeter/metric"
)

// fact is what is known of one process.
type fact struct {
	job       string    // that Slurm's control group names
	claimed   slurm.Job // by the process's own word, where nothing else says
	pod       string    // UID
	container string
	user      string
	at        time.Time // when it was found out
	asked     bool      // it is being found out
}

const (
	// recheck is how old a fact may become: a process can be moved, and a user
	// whose name nobody knew can get one.
	recheck = 30 * time.Second
	// patience is how long a look waits for what is to be learned about new
	// holders. The GPUs are looked at every second whatever happens here.
	patience = 100 * time.Millisecond
	// maxReads is how many processes are asked about at the same time. Reading the
	// environment of a process that hangs in the kernel hangs too, and keeps its
	// place.
	maxReads = 16
)

// processes finds out about processes and remembers it. It is not safe for
// concurrent use.
type processes struct {
	proc, pods string                   // folders
	facts      map[string]map[int]*fact // by GPU and process id
	places     chan struct{}            // taken while a process is read
	results    chan result              // has room for all that are read
	round      uint64                   // counts the calls of learn

	mu    sync.Mutex        // guards what follows
	users map[uint32]string // names
}

// result is what was found out about a process, in which round.
type result struct {
	to    *fact
	found fact
	round uint64
}

func newProcesses(proc, pods string) *processes {
	return &processes{proc: proc, pods: pods, facts: map[string]map[int]*fact{}, users: map[uint32]string{},
		places: make(chan struct{}, maxReads), results: make(chan result, maxReads)}
}

// changed reports whether the processes of a GPU are others than at the look
// before, and forgets those that are gone: their ids can mean others later.
func (p *processes) changed(gpu string, list []metric.Process) bool {
	before := p.facts[gpu]
	isNew := func(x metric.Process) bool { return before[x.PID] == nil }
	if len(before) == len(list) && !slices.ContainsFunc(list, isNew) {
		return false
	}
	now := make(map[int]*fact, len(list))
	different := false
	for _, x := range list {
		f := before[x.PID]
		if f == nil {
			f, different = &fact{user: unknown}, true
		}
		now[x.PID] = f
	}
	p.facts[gpu] = now
	return different || len(before) != len(now)
}

// learn finds out about the processes of a GPU what is not known or old, until
// limit at the latest. What comes later is there for the next call.
func (p *processes) learn(gpu string, limit <-chan struct{}) {
	var old []int
	for pid, f := range p.facts[gpu] {
		if !f.asked && time.Since(f.at) > recheck {
			old = append(old, pid)
		}
	}
	p.round++
	for waiting := 0; ; {
		if len(old) > 0 && p.start(old[0], p.facts[gpu][old[0]]) {
			old = old[1:]
			waiting++
			continue
		}
		if waiting == 0 {
			p.drain()
			return
		}
		select {
		case r := <-p.results:
			if r.keep(); r.round == p.round {
				waiting--
			}
		case <-limit:
			return
		}
	}
}

// start reads a process in a goroutine that ends with the reading; false if too
// many are held up. Nobody waits for one that the kernel holds up for ever.
func (p *processes) start(pid int, to *fact) bool {
	select {
	case p.places <- struct{}{}:
	default:
		return false
	}
	to.asked = true
	round := p.round
	go func() {
		p.results <- result{to, p.read(pid), round}
		<-p.places
	}()
	return true
}

// drain keeps what came late.
func (p *processes) drain() {
	for {
		select {
		case r := <-p.results:
			r.keep()
		default:
			return
		}
	}
}

func (r result) keep() { *r.to = r.found }

// read finds out about one process. It may be called concurrently.
func (p *processes) read(pid int) fact {
	dir := filepath.Join(p.proc, strconv.Itoa(pid))
	f := fact{user: unknown, at: time.Now()}
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err == nil {
		f.user = p.name(st.Uid)
	}
	text, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if err == nil {
		place := cgroup.Parse(string(text))
		f.pod, f.container = place.Pod, place.Container
		for _, path := range place.Paths {
			if id, ok := slurm.JobOf(path); ok && f.job == "" {
				f.job = id
			}
		}
	}
	if f.job == "" && f.pod == "" && f.container == "" {
		if e, err := slurm.ReadEnviron(p.proc, pid); err == nil {
			if job, ok := e.Job(); ok {
				f.claimed = job
			}
		}
	}
	return f
}

// name looks a user up once: a node has few, and a look-up may ask a directory
// server.
func (p *processes) name(uid uint32) string {
	p.mu.Lock()
	n, ok := p.users[uid]
	p.mu.Unlock()
	if ok {
		return n
	}
	number := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(number)
	if err != nil {
		return number
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[uid] = u.Username
	return u.Username
}

// podNames returns the namespace and name of each pod of this node by its UID,
// from the names of the folders that hold the pods' logs: NAMESPACE_NAME_UID.
func (p *processes) podNames() map[string][2]string {
	entries, err := os.ReadDir(p.pods)
	if err != nil {
		return nil // not a node of Kubernetes, or not for us to read
	}
	out := map[string][2]string{}
	for _, e := range entries {
		if words := strings.Split(e.Name(), "_"); len(words) == 3 {
			out[words[2]] = [2]string{words[0], words[1]}
		}
	}
	return out
}

// initialPIDs is the namespace of process ids that the node begins with
// (PROC_PID_INIT_INO of the kernel).
const initialPIDs = "pid:[4026531836]"

// SeesAll reports whether this process can see all of the node's: elsewhere the
// driver lists only those that are in the same container.
func SeesAll() bool {
	ns, err := os.Readlink("/proc/self/ns/pid")
	return err != nil || ns == initialPIDs
}

package holder

import (
	"strconv"
	"strings"

	"github.com/gpumeter/gpumeter/agent/holder/slurm"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// subject is what can be held by itself: a GPU, or a compute instance of one.
type subject struct {
	look     *metric.Look
	uuid     string           // of the GPU or of the instance
	instance *metric.Instance // nil for a GPU
	procs    []metric.Process
	known    bool // procs are all
}

// find asks the sources in their order.
func (f *Finder) find(s subject) finding {
	facts := f.factsOf(s)
	if hs := f.jobHolders(s, facts); len(hs) > 0 {
		return finding{f.publish(hs), true}
	}
	hs, podsKnown := f.podHolders(s)
	if len(hs) > 0 {
		return finding{f.publish(hs), true}
	}
	if hs := f.processHolders(facts); len(hs) > 0 {
		return finding{f.publish(hs), true}
	}
	switch {
	case podsKnown:
		return finding{[]usage.Holder{{Basis: usage.BasisKubelet}}, true}
	case s.known && f.seesAll:
		return finding{[]usage.Holder{{Basis: usage.BasisProcess}}, true}
	}
	return finding{}
}

// factsOf returns what is known of the processes of a subject.
func (f *Finder) factsOf(s subject) []*fact {
	if !s.known {
		return nil
	}
	all := f.procs.facts[s.look.GPU.UUID]
	out := make([]*fact, 0, len(s.procs))
	for _, x := range s.procs {
		known := all[x.PID]
		if known == nil { // the driver lists it for the instance only, or its id means another process here
			known = &fact{user: unknown}
		}
		out = append(out, known)
	}
	return out
}

// jobHolders returns the jobs of Slurm that have a subject: by its allocation,
// by a job file, or by the control group of one of its processes.
func (f *Finder) jobHolders(s subject, facts []*fact) []usage.Holder {
	jobs, _, known := f.jobs.newest()
	var out []usage.Holder
	if known {
		for _, j := range jobs.ByID {
			if hasGPU(&j, s) {
				out = append(out, jobHolder(j))
			}
		}
		for _, name := range fileNames(s) {
			for _, id := range jobs.Files[name] {
				out = append(out, jobHolder(jobOf(jobs, id)))
			}
		}
	}
	for _, x := range facts {
		if x.job == "" {
			continue
		}
		j := jobOf(jobs, x.job)
		if j.User == "" && x.user != unknown {
			j.User = x.user
		}
		out = append(out, jobHolder(j))
	}
	return out
}

// jobOf returns a job by its id, or the id alone.
func jobOf(jobs slurm.Jobs, id string) slurm.Job {
	if j, ok := jobs.ByID[id]; ok {
		return j
	}
	return slurm.Job{ID: id}
}

func jobHolder(j slurm.Job) usage.Holder {
	return usage.Holder{Basis: usage.BasisScheduler, Kind: kindJob, Group: j.Account, Name: j.ID, Part: j.User}
}

// hasGPU reports whether a job was given a subject. Numbers are those of device
// nodes only where GPUs are whole: instances have numbers of their own in Slurm.
func hasGPU(j *slurm.Job, s subject) bool {
	for _, uuid := range j.UUIDs {
		if uuid == s.uuid || uuid == s.look.GPU.UUID {
			return true
		}
	}
	if s.look.MIG || len(j.UUIDs) > 0 {
		return false
	}
	for _, n := range j.GPUs {
		if s.look.GPU.Device == "nvidia"+strconv.Itoa(n) {
			return true
		}
	}
	return false
}

// fileNames returns the names that a subject's job file can have.
func fileNames(s subject) []string {
	gpu := strconv.Itoa(s.look.GPU.Index)
	if s.instance == nil {
		return []string{gpu}
	}
	return []string{gpu, gpu + "." + strconv.Itoa(s.instance.ID)}
}

// podHolders returns the pods that have a subject by the kubelet's word. Known
// is false where it has not given it lately, or not all of what it gave can be
// told to be of a GPU.
func (f *Finder) podHolders(s subject) (holders []usage.Holder, known bool) {
	uses, _, ok := f.pods.newest()
	if !ok {
		return nil, false
	}
	for _, u := range uses {
		if uuid := held(s.look, u.Device); uuid != "" && (uuid == s.uuid || uuid == s.look.GPU.UUID) {
			holders = append(holders, usage.Holder{Basis: usage.BasisKubelet, Kind: kindPod, Group: u.Namespace, Name: u.Pod,
				Part: u.Container, Labels: f.labelsOf(u.Namespace, u.Pod)})
		}
	}
	return holders, f.unmatched() == 0
}

// processHolders returns whose the processes of a subject are.
func (f *Finder) processHolders(facts []*fact) []usage.Holder {
	var names map[string][2]string
	var out []usage.Holder
	for _, x := range facts {
		h := usage.Holder{Basis: usage.BasisProcess, Kind: kindUser, Name: x.user}
		switch {
		case x.pod != "":
			if names == nil {
				names = f.procs.podNames()
			}
			h.Kind, h.Group, h.Name = kindPod, names[x.pod][0], names[x.pod][1]
			if h.Labels = f.labelsOf(h.Group, h.Name); h.Name == "" {
				h.Name = x.pod
			}
		case x.container != "":
			h.Kind, h.Name = kindContainer, short(x.container)
		case x.claimed.ID != "":
			h.Kind, h.Group, h.Name, h.Part = kindJob, x.claimed.Account, x.claimed.ID, x.user
		}
		out = append(out, h)
	}
	return out
}

// short returns as much of a container's id as people write.
func short(id string) string {
	if len(id) == 64 && !strings.ContainsAny(id, "-. ") {
		return id[:12]
	}
	return id
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/agent/holder/slurm"
	"github.com/gpumeter/gpumeter/agent/scan"
	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
	"github.com/gpumeter/gpumeter/metric"
)

// nodeChecks is the table of what a node needs to be metered, in the order in
// which one thing needs another.
var nodeChecks = []doctor.Check[nodeFacts]{
	{Name: "settings", Looks: "the settings, as run reads them", Find: checkSettings},
	{Name: "library", Looks: "where libnvidia-ml.so.1 is, and who may write it", Find: needs(checkLibrary)},
	{Name: "devices", Looks: "whether this user may open /dev/nvidia*", Find: needs(checkDevices)},
	{Name: "driver", Looks: "whether the driver answers, asked in a process of its own", Find: needs(checkDriver)},
	{Name: "gpus", Looks: "how many GPUs there are, against what the instance type has", Find: needs(checkGPUs)},
	{Name: "health", Looks: "what gpumeter-agent scan finds", Find: needs(checkHealth)},
	{Name: "kernel log", Looks: "whether the kernel's log can be read for Xids", Find: needs(checkKernelLog)},
	{Name: "holders", Looks: "Slurm's control groups, the kubelet's pod-resources socket, pods' labels, /proc", Find: needs(checkHolders)},
	{Name: "cloud", Looks: "who says where the node stands: metadata service, Kubernetes, Slurm, firmware", Find: needs(checkCloud)},
	{Name: "state", Looks: "whether the state folder can be written, and how much room its disk has", Find: needs(checkState)},
	{Name: "metrics", Looks: "whether the addresses for /metrics are free, or an agent's", Find: needs(checkListen)},
	{Name: "agent", Looks: "whether an agent runs here", Find: needs(checkAgent)},
	{Name: "collector", Looks: "whether the collector answers at its address", Find: needs(checkCollector)},
	{Name: "certificate", Looks: "how long the collector's certificate is good for", Find: needs(asked((*doctor.Answer).FindCertificate))},
	{Name: "token", Looks: "whether the collector takes the token, with a post that holds nothing", Find: needs(asked((*doctor.Answer).FindToken))},
	{Name: "clock", Looks: "whether the clock is kept in step, and how far it is from the collector's", Find: needs(checkClock)},
}

// needs leaves a check out where the settings are wrong: nothing was looked at.
func needs(find func(*nodeFacts) []doctor.Finding) func(*nodeFacts) []doctor.Finding {
	return func(n *nodeFacts) []doctor.Finding {
		if n.wrong != nil {
			return nil
		}
		return find(n)
	}
}

// asked is a check of the collector's answer, if one was asked.
func asked(find func(*doctor.Answer) doctor.Finding) func(*nodeFacts) []doctor.Finding {
	return func(n *nodeFacts) []doctor.Finding {
		if n.answer == nil {
			return nil
		}
		return one(find(n.answer))
	}
}

func checkCollector(n *nodeFacts) []doctor.Finding {
	if n.answer == nil {
		return one(doctor.Leave("No collector is named: records stay on this node."))
	}
	return one(n.answer.Find())
}

func one(f doctor.Finding) []doctor.Finding { return []doctor.Finding{f} }

func checkSettings(n *nodeFacts) []doctor.Finding {
	where := strings.Join(append(slices.Clone(n.files), "flags"), ", ")
	if n.wrong != nil {
		return one(doctor.Bad("The agent would not start: "+n.wrong.Error()+".", "Correct that; nothing else was looked at. Settings are from "+where+"."))
	}
	return one(doctor.Ok("The agent starts with these settings, from " + where + "."))
}

func checkLibrary(n *nodeFacts) []doctor.Finding {
	l := &n.library
	switch {
	case l.err != nil:
		return one(doctor.Bad("The driver's library cannot be looked at: "+l.err.Error()+".", "Correct --nvml, or leave it out if the driver is in a usual place."))
	case l.path == "" && n.scan.Frame.Driver.Up:
		return one(doctor.Ok("The loader knows where the driver's library is."))
	case l.path == "":
		return one(doctor.Bad("The driver's library libnvidia-ml.so.1 is in none of the usual places.",
			"Install the NVIDIA driver (the agent finds it when it comes), name its library with --nvml or, in a container, have it mounted: runtime class nvidia, or CDI."))
	case l.owner != 0 || l.mode&0o022 != 0:
		return one(doctor.Warn(fmt.Sprintf("%s belongs to user %d and has mode %s: others than root can change what the agent runs.", l.path, l.owner, l.mode.Perm()),
			"Make the library root's, writable by nobody else."))
	}
	return one(doctor.Ok(l.path + "."))
}

func checkDevices(n *nodeFacts) []doctor.Finding {
	var denied []string
	for _, f := range n.devices {
		if f.err != nil {
			denied = append(denied, fmt.Sprintf("%s (%v)", f.path, f.err))
		}
	}
	bus := len(n.scan.Bus)
	switch {
	case len(denied) > 0:
		return one(doctor.Bad("This user may not open "+strings.Join(denied, ", ")+".",
			"Run as a user of the group that the files belong to, or give the unit DeviceAllow= for them; in a container, give it the GPUs."))
	case len(n.devices) == 0 && n.scan.Frame.Driver.Up:
		return one(doctor.Leave("There are no device files here, and the driver answers without."))
	case len(n.devices) == 0 && bus > 0:
		return one(doctor.Bad(fmt.Sprintf("There is no /dev/nvidia*, and %s on the bus.", countOf(bus, "GPU")),
			"Load the driver (modprobe nvidia) and start nvidia-persistenced, which makes the files; in a container, give it the GPUs: runtime class nvidia, or CDI."))
	case len(n.devices) == 0:
		return one(doctor.Leave("There is no /dev/nvidia*, and no NVIDIA GPU on the bus."))
	}
	return one(doctor.Ok(countOf(len(n.devices), "device file") + ", open to this user."))
}

func countOf(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

const leftAlone = "The agent here is paused: the driver was left alone."

func checkDriver(n *nodeFacts) []doctor.Finding {
	if n.paused {
		return one(doctor.Unsure(leftAlone, "End the pause (gpumeter-agent resume, or the pause file) and look again."))
	}
	switch d := &n.scan.Frame.Driver; {
	case d.Up:
		return one(doctor.Ok("Driver " + d.Version + " answers."))
	case d.Reason == metric.ReasonNoDriver && n.library.path == "":
		return one(doctor.Leave("There is no library to ask it through."))
	}
	for _, f := range n.scan.Findings {
		if f.Rule == "driver" {
			return one(doctor.Bad(f.What+" "+f.Evidence+".", f.Remedy))
		}
	}
	return one(doctor.Bad("The driver does not answer.", "Look into the kernel log for the cause."))
}

func checkGPUs(n *nodeFacts) []doctor.Finding {
	f := &n.scan.Frame
	switch {
	case n.paused:
		return one(doctor.Leave(leftAlone))
	case !f.Driver.Up:
		return one(doctor.Leave("No driver answered that could count them."))
	}
	seen, elsewhere := len(f.Looks), scan.Elsewhere(n.scan.Input)
	var out []doctor.Finding
	switch want := n.scan.Expected; {
	case seen == 0:
		out = append(out, doctor.Bad("The driver shows no GPU.", "In a container, give it the GPUs: runtime class nvidia, or CDI. On a node, look into the kernel log."))
	case want == 0:
		out = append(out, doctor.Ok(countOf(seen, "GPU")+". Nobody says how many there should be: --expected-gpus can, and one that is missing from the start is then noticed."))
	case seen+elsewhere < want:
		out = append(out, doctor.Warn(fmt.Sprintf("%s where there should be %d (%s).", countOf(seen, "GPU"), want, n.scan.Basis),
			"Missing GPUs count as unhealthy. Ask gpumeter-agent scan about them, and the provider for another machine; --expected-gpus corrects a wrong number."))
	case seen > want:
		out = append(out, doctor.Warn(fmt.Sprintf("%s where there should be %d (%s).", countOf(seen, "GPU"), want, n.scan.Basis), "Say how many are meant with --expected-gpus."))
	default:
		out = append(out, doctor.Ok(fmt.Sprintf("%s, as expected (%s).", countOf(seen, "GPU"), n.scan.Basis)))
	}
	for i := range f.Looks {
		if l := &f.Looks[i]; l.Condition != metric.Good {
			out = append(out, doctor.Warn(fmt.Sprintf("GPU %d (%s) does not answer: %s.", l.GPU.Index, l.GPU.UUID, l.Reason), "It is metered as what it is, lost or unobserved. Ask gpumeter-agent scan about it."))
		}
	}
	return out
}

func checkHealth(n *nodeFacts) []doctor.Finding {
	switch {
	case n.paused:
		return one(doctor.Leave(leftAlone))
	case !n.scan.Frame.Driver.Up:
		return one(doctor.Leave("No driver answered that could say."))
	}
	bad := 0
	for _, f := range n.scan.Findings {
		if f.Level > scan.Note {
			bad++
		}
	}
	if bad == 0 {
		return one(doctor.Ok("A scan finds nothing wrong."))
	}
	return one(doctor.Warn(fmt.Sprintf("A scan finds the node %s: %s.", n.scan.Verdict.Verdict(), countOf(bad, "thing")), "Ask gpumeter-agent scan what it is, and what to do."))
}

func checkKernelLog(n *nodeFacts) []doctor.Finding {
	switch trouble := n.scan.Log.Trouble; {
	case n.config.Kmsg == kmsgOff:
		return one(doctor.Leave("It is not to be read (kmsg is off)."))
	case trouble != "":
		return one(doctor.Warn("The kernel's log cannot be read: "+trouble+". Xids come from the driver only, and none from before the agent.",
			"Run with CAP_SYSLOG and, in a unit or container, with /dev/kmsg; or accept it with --kmsg off."))
	}
	return one(doctor.Ok("The kernel's log can be read."))
}

// checkHolders has a finding for each source of holders that there is.
func checkHolders(n *nodeFacts) []doctor.Finding {
	c := &n.config.Holders
	out := []doctor.Finding{
		source("Slurm", c.Slurm != holderOff, n.slurm, slurm.ErrAbsent, "Check that the control groups below /sys/fs/cgroup can be read."),
		source("The kubelet's pod-resources socket", c.Kubelet != holderOff, n.kubelet, kubelet.ErrAbsent, "The socket is root's: let the agent run as user 0, without capabilities, and see the socket's folder (agent.podResources of the chart)."),
	}
	known := slices.ContainsFunc(out, func(f doctor.Finding) bool { return f.Level == doctor.Well })
	if len(c.Labels) > 0 {
		out = append(out, podLabels(n.labels))
	}
	return append(out, processes(n.procs, known))
}

func podLabels(err error) doctor.Finding {
	if err != nil {
		return doctor.Warn("The API server does not say which labels pods have: "+err.Error()+". Records go without them.",
			"Run the agent in a pod whose service account may list pods (agent.podLabels of the chart).")
	}
	return doctor.Ok("The API server says which labels pods have.")
}

// source says how a source of holders is that is wanted or not; err is absent
// where it is not there.
func source(name string, wanted bool, err, absent error, remedy string) doctor.Finding {
	switch {
	case !wanted:
		return doctor.Leave(name + " is not asked.")
	case errors.Is(err, absent):
		return doctor.Leave(name + " is not here.")
	case err != nil:
		return doctor.Warn(name+" does not answer: "+err.Error()+". Time without kernels may be unmeasured.", remedy)
	}
	return doctor.Ok(name + " answers.")
}

// processes says whether the owner of any process on a GPU can be found. Where
// another source knows who has the GPUs, it matters less.
func processes(p processView, known bool) doctor.Finding {
	var what, remedy string
	switch {
	case p.container:
		what, remedy = "Only this container's own processes can be seen.", "Let the agent ask the kubelet or Slurm, or see the node's processes (hostPID)."
	case p.others != nil:
		what, remedy = fmt.Sprintf("Other users' processes cannot be seen: %v.", p.others), "Mount /proc without hidepid, or in a unit set ProtectProc=default."
	default:
		return doctor.Ok("All processes of the node can be seen.")
	}
	if known {
		return doctor.Leave(what + " Who has the GPUs is known without.")
	}
	return doctor.Warn(what+" Nobody else says who has the GPUs: time without kernels is then unmeasured.", remedy)
}

func checkCloud(n *nodeFacts) []doctor.Finding {
	var words []string
	for _, x := range n.cloud.Fields() {
		words = append(words, x.Name+" "+x.Value)
	}
	var out []doctor.Finding
	if n.cloud.Cloud.Provider == "" {
		out = append(out, doctor.Warn("Nobody says which cloud the node is rented from. Contracts that name a provider, an account or a region then do not cover its GPUs.",
			"Say it: --cloud-provider, --cloud-account, --cloud-region, or the block cloud in the file."))
	} else {
		out = append(out, doctor.Ok(strings.Join(words, ", ")+"."))
	}
	for _, who := range slices.Sorted(maps.Keys(n.cloud.Failed)) {
		out = append(out, doctor.Warn(fmt.Sprintf("%s does not say where the node stands: %s.", cloudSource(who), n.cloud.Failed[who]), cloudRemedy(who)))
	}
	return out
}

// cloudNames are the sources of cloud.Found that are no metadata service.
var cloudNames = map[string]string{"node": "Kubernetes", "slurm": "Slurm", "dmi": "The firmware"}

func cloudSource(who string) string { return cmp.Or(cloudNames[who], "The metadata service of "+who) }

func cloudRemedy(who string) string {
	if who == "node" {
		return "The agent's service account needs get on nodes (agent.nodeLabels of the chart)."
	}
	return "Let the agent reach it (for AWS in a container: a hop limit of 2), or say what it would: --cloud-account, --cloud-region and so on, with --cloud off."
}

// What the state folder's disk should have free.
const (
	stateLeast = 64 << 20 // below it the spool soon drops batches
)

func checkState(n *nodeFacts) []doctor.Finding {
	s, limit := &n.state, uint64(n.config.SpoolMiB)<<20 //nolint:gosec // at least 1
	const give = "Make the folder this user's, or name another with --state."
	free := fmt.Sprintf("%d MiB are free", s.free>>20)
	switch {
	case s.write != nil && s.near == s.path:
		return one(doctor.Bad(fmt.Sprintf("This user may not write into %s: %v.", s.path, s.write), give))
	case s.write != nil:
		return one(doctor.Bad(fmt.Sprintf("%s is not there, and this user may not make it: %v.", s.path, s.write), give))
	case s.free < stateLeast:
		return one(doctor.Bad(fmt.Sprintf("The disk of %s is full: %s.", s.path, free), "Make room: what was metered and not yet sent is kept there."))
	case s.free < limit:
		return one(doctor.Warn(fmt.Sprintf("The disk of %s has less room than the spool may take: %s of %d.", s.path, free, n.config.SpoolMiB), "Make room, or lower --spool-mib."))
	case s.near != s.path:
		return one(doctor.Ok(fmt.Sprintf("%s is not there yet; the agent can make it. %s.", s.path, free)))
	}
	return one(doctor.Ok(fmt.Sprintf("%s can be written; %s.", s.path, free)))
}

func checkListen(n *nodeFacts) []doctor.Finding {
	var out []doctor.Finding
	for _, addr := range slices.Sorted(maps.Keys(n.listen)) {
		switch err := n.listen[addr]; {
		case err == nil:
			out = append(out, doctor.Ok(addr+" is free."))
		case errors.Is(err, syscall.EADDRINUSE) && n.agent == nil:
			out = append(out, doctor.Ok(addr+" is in use, as it should be: an agent runs here."))
		case errors.Is(err, syscall.EADDRINUSE):
			out = append(out, doctor.Bad("Another program listens on "+addr+".", "Give the agent another address with --listen, or end that program (ss -ltnp says which)."))
		default:
			out = append(out, doctor.Bad(fmt.Sprintf("The agent could not listen on %s: %v.", addr, err), "Give it another address with --listen."))
		}
	}
	if len(out) == 0 {
		return one(doctor.Leave("No metrics are served."))
	}
	return out
}

func checkAgent(n *nodeFacts) []doctor.Finding {
	switch {
	case n.agent == nil && n.paused:
		return one(doctor.Warn("An agent runs here, and is paused: the GPUs are unobserved.", "End the pause with gpumeter-agent resume, if it is not meant any more."))
	case n.agent == nil:
		return one(doctor.Ok("An agent runs here: gpumeter-agent status says what it sees."))
	case errors.Is(n.agent, fs.ErrPermission):
		return one(doctor.Unsure("An agent may run here: this user may not ask it.", "Ask as root, or as the agent's user."))
	case errors.Is(n.agent, fs.ErrNotExist), errors.Is(n.agent, syscall.ECONNREFUSED):
		return one(doctor.Leave("No agent runs with the state folder " + n.state.path + "."))
	}
	return one(doctor.Warn("The agent here does not answer: "+n.agent.Error()+".", "Look into its log (journalctl -u gpumeter-agent)."))
}

func checkClock(n *nodeFacts) []doctor.Finding { return one(n.clock.Find(n.answer)) }

// Package cgroup tells from a process's control groups in which pod and
// container it runs, whatever made them: containerd, CRI-O, Docker, Podman or
// LXC, in both versions of control groups.
package cgroup

import "strings"

// Place is where a process runs. Empty is not in one.
type Place struct {
	// Pod is the UID of a pod, with dashes where it has any.
	Pod string
	// Container is the id of the outermost container that is not a pod's own
	// doing, or its name where it has no id.
	Container string
	// Paths are the paths of its control groups, each once.
	Paths []string
}

// maxPaths bounds the hierarchies of one process; Linux has about a dozen.
const maxPaths = 64

// Parse reads /proc/PID/cgroup, lines of NUMBER:CONTROLLERS:PATH. Lines of
// another form are left out.
func Parse(text string) Place {
	var p Place
	for line := range strings.Lines(text) {
		path, ok := pathOf(strings.TrimSuffix(line, "\n"))
		if !ok || len(p.Paths) == maxPaths {
			continue
		}
		p.add(path)
	}
	return p
}

func pathOf(line string) (string, bool) {
	_, rest, ok := strings.Cut(line, ":")
	if !ok {
		return "", false
	}
	_, path, ok := strings.Cut(rest, ":")
	return path, ok && strings.HasPrefix(path, "/")
}

func (p *Place) add(path string) {
	for _, known := range p.Paths {
		if known == path {
			return
		}
	}
	p.Paths = append(p.Paths, path)
	kubernetes, before := false, ""
	for word := range strings.SplitSeq(path, "/") {
		kubernetes = kubernetes || strings.Contains(word, "kubepods")
		if uid := podOf(word); kubernetes && p.Pod == "" && uid != "" {
			p.Pod = uid
		}
		if id := containerOf(before, word); p.Container == "" && id != "" {
			p.Container = id
		}
		before = word
	}
}

// podOf returns the UID in the name of a pod's control group: podUID, or
// kubepods-burstable-podUID.slice with _ for -.
func podOf(word string) string {
	word, _, _ = strings.Cut(word, ":") // containerd's own is SLICE:KIND:ID
	i := strings.LastIndex(word, "pod")
	if i < 0 || i > 0 && word[i-1] != '-' {
		return ""
	}
	uid := strings.ReplaceAll(strings.TrimSuffix(word[i+len("pod"):], ".slice"), "_", "-")
	// The UID of a static pod is a hash without dashes.
	if len(uid) != 36 && len(uid) != 32 || !isHex(strings.ReplaceAll(uid, "-", "")) {
		return ""
	}
	return uid
}

// containerOf returns the id in the name of a container's control group: ID,
// docker-ID.scope, cri-containerd-ID.scope, crio-ID, libpod-ID.scope. Containers
// of LXC have names.
func containerOf(before, word string) string {
	if name, ok := strings.CutPrefix(word, "lxc.payload."); ok {
		return name
	}
	if before == "lxc" {
		return word
	}
	id := strings.TrimSuffix(word, ".scope")
	id = id[strings.LastIndexAny(id, "-:")+1:]
	if len(id) != 64 || !isHex(id) {
		return ""
	}
	return id
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}

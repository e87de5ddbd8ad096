package main

import (
	"slices"
	"strings"
)

// marker begins a comment in a file of settings by which up says what down does
// there. Up changes settings of other hands too, and those are put back.
const marker = "# gpumeter-agent down: "

// note is one such comment.
type note struct{ verb, object string }

// Verbs of notes.
const (
	unsets   = "unset"   // a variable
	restores = "restore" // a line, NAME=VALUE
	removes  = "remove"  // a file that up wrote beside the settings, or thisFile
)

// thisFile is the file of settings itself.
const thisFile = "this file"

// removable are what a note may have removed.
var removable = []string{thisFile, tokenName, caName}

func (n note) String() string { return marker + n.verb + " " + n.object }

// about is the variable of a note, or the file.
func (n note) about() string {
	if n.verb != restores {
		return n.object
	}
	name, _, _ := strings.Cut(n.object, "=")
	return name
}

// parseNote reads a line; ok is false for one that is no note.
func parseNote(line string) (n note, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), marker)
	if !ok {
		return note{}, false
	}
	n.verb, n.object, _ = strings.Cut(rest, " ")
	switch n.verb {
	case unsets, restores:
		return n, plainName.MatchString(n.about())
	case removes:
		return n, slices.Contains(removable, n.object)
	}
	return n, false
}

// remember returns a file of settings with notes of how it was before settings
// are put into it, and files are written beside it. Only the first change of a
// thing is noted: that is how it was. text is nil where there is no file.
func remember(text []byte, settings []setting, files []string) []byte {
	lines := linesOf(text)
	noted := map[string]bool{}
	for _, l := range lines {
		if n, ok := parseNote(l); ok {
			noted[n.about()] = true
		}
	}
	add := func(n note) {
		if !noted[n.about()] {
			lines, noted[n.about()] = append(lines, n.String()), true
		}
	}
	if text == nil {
		add(note{removes, thisFile})
	}
	for _, f := range files {
		add(note{removes, f})
	}
	for _, s := range settings {
		switch at := lastOf(lines, s.name); {
		case at < 0:
			add(note{unsets, s.name})
		case strings.TrimSpace(lines[at]) != s.name+"="+quote(s.value):
			add(note{restores, strings.TrimSpace(lines[at])})
		}
	}
	return textOf(lines)
}

// restore returns a file of settings as its notes want it, without them, and the
// files that they want removed. Nothing is left of a file that is to be removed
// and says nothing else.
func restore(text []byte) (before []byte, remove []string) {
	var lines []string
	var notes []note
	for _, l := range linesOf(text) {
		if n, ok := parseNote(l); ok {
			notes = append(notes, n)
		} else {
			lines = append(lines, l)
		}
	}
	for _, n := range notes {
		switch n.verb {
		case removes:
			remove = append(remove, n.object)
		case unsets:
			lines = slices.DeleteFunc(lines, func(l string) bool { return sets(l, n.object) })
		case restores:
			if at := lastOf(lines, n.about()); at >= 0 {
				lines[at] = n.object
			} else {
				lines = append(lines, n.object)
			}
		}
	}
	if i := slices.Index(remove, thisFile); i >= 0 {
		remove = slices.Delete(remove, i, i+1)
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.TrimSpace(l) != "" }) {
			return nil, remove
		}
	}
	return textOf(lines), remove
}

// sets reports whether a line sets a variable.
func sets(line, name string) bool { return strings.HasPrefix(strings.TrimSpace(line), name+"=") }

// lastOf is the last line that sets a variable, which counts; -1 if none does.
func lastOf(lines []string, name string) int {
	for i := len(lines) - 1; i >= 0; i-- {
		if sets(lines[i], name) {
			return i
		}
	}
	return -1
}

func linesOf(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// textOf is a file of lines, each with its end; not nil.
func textOf(lines []string) []byte {
	if len(lines) == 0 {
		return []byte{}
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are what people read before they call anything.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(names) < 10 {
		t.Fatalf("pages are %v, %v", names, err)
	}
	out := map[string]string{}
	for _, name := range append(names, filepath.Join("..", "..", "README.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = strings.ReplaceAll(string(text), "\\\n", " ")
	}
	return out
}

// pageCall is a call of the program in a line of code or between backticks, up to
// what the shell takes.
var pageCall = regexp.MustCompile("(?m)(?:^ {4}|^\\$ |`)(?:sudo )?(?:bin/)?gpumeter ([a-z][^|&>\\n`#]*)")

// TestPagesCallWhatIsThere parses every call against the commands.
func TestPagesCallWhatIsThere(t *testing.T) {
	calls := 0
	for name, text := range pages(t) {
		for _, call := range pageCall.FindAllStringSubmatch(text, -1) {
			if calls++; strings.HasPrefix(call[1], "completion") {
				continue // cobra adds it when a program runs
			}
			if err := callable(strings.Fields(call[1])); err != nil {
				t.Errorf("%s: gpumeter %s: %v", name, call[1], err)
			}
		}
	}
	if calls < 20 {
		t.Errorf("%d calls were found", calls)
	}
}

// TestREADMELeadsSomewhere follows its links and looks for its targets of make.
func TestREADMELeadsSomewhere(t *testing.T) {
	root := filepath.Join("..", "..")
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	text := read("README.md")
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, link[1])); err != nil {
			t.Errorf("the README leads to %s: %v", link[1], err)
		}
	}
	rules := read("Makefile")
	for _, included := range regexp.MustCompile(`(?m)^include (\S+)$`).FindAllStringSubmatch(rules, -1) {
		rules += read(included[1])
	}
	for _, target := range regexp.MustCompile("(?m)(?:^ {4}|`)make ([a-z0-9-]+)").FindAllStringSubmatch(text, -1) {
		if !regexp.MustCompile(`(?m)^([a-z0-9-]+ )*` + target[1] + `( [a-z0-9-]+)*:`).MatchString(rules) {
			t.Errorf("the README calls make %s, which is no target", target[1])
		}
	}
}

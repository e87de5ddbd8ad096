package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pageCall is a call of the program in a line of code or between backticks, up to
// what the shell takes.
var pageCall = regexp.MustCompile("(?m)(?:^ {2,}|^\\$ |`)(?:sudo )?(?:bin/)?gpumeter-agent ([a-z][^|&>\\n`#;…]*)")

// TestPagesCallWhatIsThere parses every call of the pages, and of the commands'
// own examples, against the commands.
func TestPagesCallWhatIsThere(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range append(names, filepath.Join("..", "..", "README.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	for _, cmd := range newRoot().Commands() {
		texts["the help of "+cmd.Name()] = cmd.Example
	}
	calls := 0
	for name, text := range texts {
		for _, call := range pageCall.FindAllStringSubmatch(strings.ReplaceAll(text, "\\\n", " "), -1) {
			if calls++; strings.HasPrefix(call[1], "completion") {
				continue // cobra adds it when a program runs
			}
			cmd, rest, err := newRoot().Find(strings.Fields(call[1]))
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err != nil {
				t.Errorf("%s: gpumeter-agent %s: %v", name, call[1], err)
			}
		}
	}
	if calls < 20 {
		t.Errorf("%d calls were found", calls)
	}
}

// TestREADMENamesEveryCommand reads its list of commands.
func TestREADMENamesEveryCommand(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, row := range regexp.MustCompile("(?m)^\\| `gpumeter-agent [^|]*\\|").FindAllString(string(text), -1) {
		rows.WriteString(row)
	}
	for _, cmd := range newRoot().Commands() {
		if !cmd.Hidden && cmd.Name() != "help" && cmd.Name() != "completion" && !regexp.MustCompile(`[ \x60]`+cmd.Name()+"`").MatchString(rows.String()) {
			t.Errorf("the README does not name gpumeter-agent %s", cmd.Name())
		}
	}
}

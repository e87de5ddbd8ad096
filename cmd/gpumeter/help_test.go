package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/cmd/internal/command"
)

// commands are all that people can find, by path: "claim list".
func commands(cmd *cobra.Command, below string) map[string]*cobra.Command {
	out := map[string]*cobra.Command{}
	for _, c := range cmd.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		path := strings.TrimSpace(below + " " + c.Name())
		out[path] = c
		for k, v := range commands(c, path) {
			out[k] = v
		}
	}
	return out
}

// exampleLine is a call in an example or a page, up to what the shell takes.
var exampleLine = regexp.MustCompile(`(?m)^\s*(?:bin/)?gpumeter ([^|&>\n]*)`)

// TestExamplesAreCalls holds that every command has an example, and that what
// examples call is there.
func TestExamplesAreCalls(t *testing.T) {
	for path, c := range commands(newRoot(), "") {
		if c.Short == "" {
			t.Errorf("%s has no short help", path)
		}
		text := strings.ReplaceAll(c.Example, "\\\n", " ")
		calls := exampleLine.FindAllStringSubmatch(text, -1)
		if len(calls) == 0 {
			t.Errorf("%s has no example", path)
		}
		for _, call := range calls {
			if err := callable(strings.Fields(call[1])); err != nil {
				t.Errorf("%s: example gpumeter %s: %v", path, call[1], err)
			}
		}
	}
}

// callable says what is wrong with a call, without making it.
func callable(words []string) error {
	cmd, rest, err := newRoot().Find(words)
	if err != nil {
		return err
	}
	return cmd.ParseFlags(rest)
}

// TestREADMENamesEveryCommand reads its list of commands.
func TestREADMENamesEveryCommand(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := commands(newRoot(), "")
	named := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `gpumeter ([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		group := ""
		for _, name := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch("`"+row[1], -1) {
			path := name[1]
			if parent, _, below := strings.Cut(path, " "); below {
				group = parent
			} else if all[group+" "+path] != nil {
				path = group + " " + path
			}
			if all[path] == nil {
				t.Errorf("the README names gpumeter %s, which is not there", path)
			}
			named[path] = true
		}
	}
	for path, c := range all {
		if !c.HasSubCommands() && !named[path] {
			t.Errorf("the README does not name gpumeter %s", path)
		}
	}
}

// exitCode is what the program ends with after an error.
func exitCode(err error) int { return command.Status(err) }

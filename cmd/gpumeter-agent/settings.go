package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gpumeter/gpumeter/cmd/internal/environ"
)

// setting is one line of a file of settings: a variable and its value.
type setting struct{ name, value string }

// variable is the setting of a flag.
func variable(flag, value string) setting { return setting{environ.Name(environment, flag), value} }

// maxSettings bounds a file of settings.
const maxSettings = 1 << 20

// readSettings reads a file of settings. It is empty where there is none.
func readSettings(file string) ([]byte, error) {
	i, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case i.Size() > maxSettings || !i.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file of settings: want a plain file of up to 1 MiB", file)
	}
	return os.ReadFile(file)
}

// fillFrom gives flags that were not given what the environment says, or else a
// file of settings. What else is in the file, as HTTPS_PROXY, becomes part of the
// environment where it is not yet: the agent is to be seen as its unit has it.
func fillFrom(flags *pflag.FlagSet, file string, text []byte) error {
	settings, err := parseSettings(file, text)
	if err != nil {
		return err
	}
	var lines []string
	for _, s := range settings {
		lines = append(lines, s.name+"="+s.value)
		if _, set := os.LookupEnv(s.name); !set && !strings.HasPrefix(s.name, environment+"_") {
			if err := os.Setenv(s.name, s.value); err != nil {
				return fmt.Errorf("%s: %s: %w", file, s.name, err)
			}
		}
	}
	if err := environ.Fill(flags, environment, append(lines, os.Environ()...)); err != nil {
		return usageError{err}
	}
	return nil
}

// plainName is the name of a variable.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

var settingLine = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)

// parseSettings reads a file as systemd's EnvironmentFile= does, as far as such
// a file is needed here: a variable a line, its value as it is or in quotes.
// Errors name the line.
func parseSettings(file string, text []byte) ([]setting, error) {
	var out []setting
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxSettings+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		m := settingLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%s:%d: want NAME=VALUE", file, n)
		}
		value, ok := unquote(m[2])
		if !ok {
			return nil, fmt.Errorf("%s:%d: the value of %s has an open quote, or goes on in the next line", file, n, m[1])
		}
		out = append(out, setting{m[1], value})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return out, nil
}

// unquote returns the value that is written as text, by systemd's rules; ok is
// false if it does not end in its line.
func unquote(text string) (value string, ok bool) {
	text = strings.TrimSpace(text)
	mark := byte(0)
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		mark, text = text[0], text[1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case mark != 0 && c == mark:
			return b.String(), i == len(text)-1
		case c != '\\' || mark == '\'':
			b.WriteByte(c)
		case i+1 == len(text):
			return "", false
		default:
			i++
			if mark == '"' && !strings.ContainsRune(escaped, rune(text[i])) {
				b.WriteByte('\\')
			}
			b.WriteByte(text[i])
		}
	}
	return b.String(), mark == 0
}

// escaped are the characters that a backslash stands before in double quotes.
const escaped = "\"\\`$"

// plainValue needs no quotes in systemd's eyes.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]*$`)

// quote writes a value that parseSettings and systemd read as it is. It has no
// line breaks: flags that have some are refused.
func quote(value string) string {
	if plainValue.MatchString(value) {
		return value
	}
	var b strings.Builder
	for i := range len(value) {
		if strings.IndexByte(escaped, value[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(value[i])
	}
	return `"` + b.String() + `"`
}

// putSettings returns a file of settings in which these have their values. What
// else is in it stays: a line that sets one is replaced, the last where there
// are several, and what is new stands below the line that comments it out, or at
// the end.
func putSettings(text []byte, settings []setting) []byte {
	var lines []string
	if len(text) > 0 {
		lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	for _, s := range settings {
		line := s.name + "=" + quote(s.value)
		at, below := -1, -1
		for i, l := range lines {
			switch l = strings.TrimSpace(l); {
			case strings.HasPrefix(l, s.name+"="):
				at = i
			case strings.HasPrefix(strings.TrimLeft(l, "#; "), s.name+"="):
				below = i
			}
		}
		switch {
		case at >= 0:
			lines[at] = line
		case below >= 0:
			lines = append(lines[:below+1], append([]string{line}, lines[below+1:]...)...)
		default:
			lines = append(lines, line)
		}
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// given returns the settings of flags that were given, sorted by name.
func given(flags *pflag.FlagSet, without ...string) ([]setting, error) {
	skip := map[string]bool{}
	for _, name := range without {
		skip[name] = true
	}
	var out []setting
	var wrong error
	flags.Visit(func(f *pflag.Flag) {
		if skip[f.Name] {
			return
		}
		value := valueOf(f)
		if strings.ContainsAny(value, "\n\r\x00") {
			wrong = fmt.Errorf("--%s has a line break in it", f.Name)
		}
		out = append(out, variable(f.Name, value))
	})
	return out, wrong
}

// valueOf is what a flag has, as it can be given.
func valueOf(f *pflag.Flag) string {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return strings.Join(list.GetSlice(), ",")
	}
	return f.Value.String()
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"runtime/debug"
	"strings"
	"time"
)

// program is what a program does not say of itself.
type program struct {
	Version string
	Made    time.Time
	SHA256  string // of the file, in hexadecimal
	CXX     string // version of GCC, empty where no C++ is linked
}

// The parts of CycloneDX 1.6 that are written, under its own names.
type (
	document struct {
		Schema       string       `json:"$schema"`
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Ref      string    `json:"bom-ref"`
		Type     string    `json:"type"`
		Name     string    `json:"name"`
		Version  string    `json:"version"`
		Hashes   []digest  `json:"hashes,omitempty"`
		Licenses []license `json:"licenses,omitempty"`
		PURL     string    `json:"purl"`
		Notes    []note    `json:"properties,omitempty"`
	}
	note struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	digest struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	license struct {
		Expression string `json:"expression"`
	}
	dependency struct {
		Ref  string   `json:"ref"`
		Uses []string `json:"dependsOn"`
	}
)

// bill returns the bill of materials of a program.
func bill(info *debug.BuildInfo, p program) ([]byte, error) {
	if info.Main.Path == "" {
		return nil, fmt.Errorf("it does not say of which module it is made")
	}
	foreign, err := linked(info, p.CXX)
	if err != nil {
		return nil, err
	}
	parts := append(modules(info), foreign...)
	name := path.Base(info.Path)
	self := component{
		Ref: name, Type: "application", Name: name, Version: p.Version, Hashes: []digest{{"SHA-256", p.SHA256}},
		Licenses: []license{{"Apache-2.0"}}, PURL: purl("golang", info.Main.Path, p.Version) + "#cmd/" + name,
	}
	d := document{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata:   metadata{p.Made.Format(time.RFC3339), self},
		Components: parts, Dependencies: []dependency{{Ref: name}},
	}
	for _, c := range parts {
		d.Dependencies[0].Uses = append(d.Dependencies[0].Uses, c.Ref)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(d)
	return out.Bytes(), err
}

// modules are those of Go, and Go. Each has the checksum that go.sum holds it to. A
// module that stands in for another from a folder here is no part: what it has is ours.
func modules(info *debug.BuildInfo) []component {
	version, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	out := []component{library("golang", "std", version)}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if strings.HasPrefix(m.Path, ".") {
			continue
		}
		c := library("golang", m.Path, m.Version)
		c.Notes = []note{{"go.sum", m.Sum}}
		out = append(out, c)
	}
	return out
}

// bindings are DuckDB's for Go: they bring the engine along, whose version they have in
// theirs.
const bindings = "github.com/duckdb/duckdb-go-bindings"

// linked is what is no module: DuckDB, and the C++ library that it wants.
func linked(info *debug.BuildInfo, cxx string) ([]component, error) {
	for _, m := range info.Deps {
		if m.Path != bindings {
			continue
		}
		v, err := duckdb(m.Version)
		if err != nil {
			return nil, err
		}
		if cxx == "" {
			return nil, fmt.Errorf("DuckDB %s is linked: say with -cxx whose C++ library is", v)
		}
		engine, runtime := library("github", "duckdb/duckdb", v), library("generic", "libstdc++", cxx)
		engine.Licenses = []license{{"MIT"}}
		runtime.Licenses = []license{{"GPL-3.0-or-later WITH GCC-exception-3.1"}}
		return []component{engine, runtime}, nil
	}
	return nil, nil
}

// duckdb returns the version of the engine in bindings of a version: v1.5.6 is in
// v0.10506.0.
func duckdb(bindings string) (string, error) {
	var n int
	if _, err := fmt.Sscanf(bindings, "v0.%d.", &n); err != nil || n < 10000 {
		return "", fmt.Errorf("no version of DuckDB in its bindings' %q", bindings)
	}
	return fmt.Sprintf("v%d.%d.%d", n/10000, n/100%100, n%100), nil
}

// library is a part under the name that its kind of registry has for it.
func library(kind, name, version string) component {
	ref := purl(kind, name, version)
	return component{Ref: ref, Type: "library", Name: name, Version: version, PURL: ref}
}

// purl is a package URL.
func purl(kind, name, version string) string {
	return "pkg:" + kind + "/" + strings.ReplaceAll(name+"@"+version, "+", "%2B")
}

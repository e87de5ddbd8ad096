// Program bom writes the bill of materials of a program, in CycloneDX's JSON: the
// modules that Go itself noted in it, Go, and what C and C++ bring along. It asks no
// network, and of the same program it writes the same bytes.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"time"
)

// usageExit is the exit code for a mistake in the command line.
const usageExit = 2

func main() {
	version := flag.String("version", "", "the program's version")
	epoch := flag.Int64("epoch", 0, "when it was made, in seconds since 1970: its commit's time")
	cxx := flag.String("cxx", "", "the version of the GCC whose C++ library is linked in, if one is")
	flag.Parse()
	if flag.NArg() != 1 || *version == "" || *epoch <= 0 {
		fmt.Fprintln(os.Stderr, "bom: want -version VERSION -epoch SECONDS [-cxx VERSION] FILE")
		os.Exit(usageExit)
	}
	text, err := read(flag.Arg(0), program{Version: *version, Made: time.Unix(*epoch, 0).UTC(), CXX: *cxx})
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bom:", err)
		os.Exit(1)
	}
}

// read returns the bill of the program in a file.
func read(file string, p program) ([]byte, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p.SHA256 = fmt.Sprintf("%x", sha256.Sum256(text))
	out, err := bill(info, p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return out, nil
}

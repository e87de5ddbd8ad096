package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
)

// doctorArgs is what `gpumeter doctor` is asked.
type doctorArgs struct {
	collector doctor.Target
	contracts string
	data      string
	agent     string
	cluster   clusterArgs
	output    string
}

// agentOff is the word of --agent that looks at no node.
const agentOff = "off"

func newDoctor() *cobra.Command {
	var a doctorArgs
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what keeps the fleet from being metered, and what to do about it",
		Long: `doctor looks at the collector, at what it is told, and at the cluster that kubectl
would speak to or it runs in, and says of each thing how it is and what to do:

` + listChecks() + `
On a machine with NVIDIA GPUs, gpumeter-agent is asked to look at it as a node:
driver, library, permissions, GPUs, cloud, holders. Nothing is changed anywhere.

` + doctor.Statuses,
		Example: `  # a collector on this machine, and this node
  gpumeter doctor

  # a collector elsewhere, with a reader's token
  gpumeter doctor --url https://gpumeter.example:9410 --token-file reader.token

  # before a collector is started: its contracts and the disk of its store
  gpumeter doctor --contracts contracts.yaml --data /var/lib/gpumeter-collector

  # a cluster, from outside, as kubectl sees it: are the agents running, and does Prometheus see them?
  gpumeter doctor --url https://gpumeter.example:9410 --context gpu-east

  # the same where kubectl starts a program for its tokens, as for EKS and GKE
  kubectl --context gpu-east proxy --port 8001 &
  gpumeter doctor --url https://gpumeter.example:9410 --kubernetes http://127.0.0.1:8001 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&a.collector.URL, "url", cmp.Or(os.Getenv("GPUMETER_URL"), "http://"+defaultAddress), "collector to ask (environment: GPUMETER_URL)")
	f.StringVar(&a.collector.TokenFile, "token-file", os.Getenv("GPUMETER_TOKEN_FILE"), "file with a reader's bearer token (environment: GPUMETER_TOKEN_FILE)")
	f.StringVar(&a.collector.CAFile, "ca-file", "", "file with the certificate authority of the collector")
	f.StringVar(&a.contracts, "contracts", "", "contract file to look at besides")
	f.StringVar(&a.data, "data", "", "data folder of a collector on this machine, for the room on its disk")
	f.StringVar(&a.agent, "agent", "", "the program gpumeter-agent that looks at this node, or off (default: on a machine with NVIDIA GPUs, that beside this program or on PATH)")
	a.cluster.flags(f)
	outputFlag(cmd, &a.output)
	return cmd
}

func listChecks() string {
	var b strings.Builder
	for _, c := range siteChecks {
		fmt.Fprintf(&b, "  %-12s %s\n", c.Name, c.Looks)
	}
	return b.String()
}

// run looks, judges and writes; what was found is the program's exit status.
func (a *doctorArgs) run(ctx context.Context, w io.Writer) error {
	facts, err := a.look(ctx)
	if err != nil {
		return err
	}
	r := doctor.Run(siteChecks, &facts)
	o := textOptions(w)
	if err := doctor.Write(w, &r, a.output, doctor.Options{Color: o.Color, Width: o.Width}); err != nil {
		return err
	}
	if code := r.ExitCode(); code != 0 {
		return codeError{errSaid, code}
	}
	return nil
}

// errSaid is an error that has said everything already.
var errSaid = errors.New("")

// agentLimit is how long the agent's doctor may take: 15 seconds are its promise.
const agentLimit = time.Minute

// askAgent has the agent look at this node. Without GPUs or the program there is
// nothing to say.
func askAgent(ctx context.Context, program string) (*doctor.Report, error) {
	switch program {
	case agentOff:
		return nil, nil
	case "":
		if !hasGPUs("/sys/bus/pci/devices") {
			return nil, nil
		}
		var err error
		if program, err = findAgentProgram(); err != nil {
			if program, err = exec.LookPath("gpumeter-agent"); err != nil {
				return nil, nil //nolint:nilerr // a machine without the agent is no node
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, agentLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "doctor", "-o", "json").Output()
	exit, ended := errors.AsType[*exec.ExitError](err)
	if err != nil && !ended {
		return nil, fmt.Errorf("ask %s to look at this node: %w", program, err)
	}
	r, err := doctor.Read(out)
	if err != nil && ended {
		return nil, fmt.Errorf("ask %s to look at this node: %s", program, cmp.Or(strings.TrimSpace(string(exit.Stderr)), exit.Error()))
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s to look at this node: %w", program, err)
	}
	return &r, nil
}

// hasGPUs reports whether NVIDIA GPUs are on the bus, in a folder like
// /sys/bus/pci/devices. No device is asked.
func hasGPUs(folder string) bool {
	vendors, _ := filepath.Glob(filepath.Join(folder, "*", "vendor")) // it fails for a wrong pattern only
	for _, name := range vendors {
		vendor, err := os.ReadFile(name)
		class, classErr := os.ReadFile(filepath.Join(filepath.Dir(name), "class"))
		if err == nil && classErr == nil && strings.HasPrefix(string(vendor), "0x10de") && strings.HasPrefix(string(class), "0x03") {
			return true
		}
	}
	return false
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/agent"
	"github.com/gpumeter/gpumeter/agent/holder"
)

// callTimeout bounds a request to the agent; letting go of the driver takes
// two seconds at most.
const callTimeout = 10 * time.Second

func newPause() *cobra.Command {
	var state string
	var d time.Duration
	cmd := &cobra.Command{
		Use:   "pause",
		Short: "Let go of the driver, so that it can be upgraded or a GPU reset",
		Long: `pause makes the agent on this node close every handle on /dev/nvidia* and
returns when none is open. Time during a pause counts as unobserved, with the
reason "paused". The agent resumes by itself when the time is over.`,
		Example: "  gpumeter-agent pause --for 20m && apt-get upgrade && gpumeter-agent resume",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d <= 0 {
				return usageError{fmt.Errorf("a pause of %s is not positive", d)}
			}
			if _, err := call(cmd.Context(), state, http.MethodPost, "/pause", url.Values{"for": {d.String()}}); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "paused for %s; no handle on the driver is open\n", d)
			return nil
		},
	}
	cmd.Flags().DurationVar(&d, "for", agent.DefaultPause, "when the agent resumes by itself")
	stateFlag(cmd, &state)
	return cmd
}

func newResume() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "End a pause",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := call(cmd.Context(), state, http.MethodPost, "/resume", nil)
			return err
		},
	}
	stateFlag(cmd, &state)
	return cmd
}

func newStatus() *cobra.Command {
	var state, output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what the agent on this node sees",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := call(cmd.Context(), state, http.MethodGet, "/status", nil)
			if err != nil {
				return err
			}
			return writeStatus(cmd.OutOrStdout(), body, output)
		},
	}
	stateFlag(cmd, &state)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func writeStatus(w io.Writer, body []byte, output string) error {
	switch output {
	case "json":
		_, err := w.Write(body)
		return err
	case "text":
	default:
		return usageError{fmt.Errorf("output %q is not text or json", output)}
	}
	var s agent.Status
	if err := json.Unmarshal(body, &s); err != nil {
		return fmt.Errorf("read the agent's answer: %w", err)
	}
	state := "metering"
	if s.Paused {
		state = "paused"
	}
	fmt.Fprintf(w, "node %s   driver %s   %s\n", s.Node, s.Driver, state)
	if err := writePlace(w, &s); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, g := range s.GPUs {
		seen := "observed"
		if !g.Observed {
			seen = "unobserved: " + g.Reason
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", g.Index, g.UUID, g.Name, seen)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeSources(w, s.Holders)
}

// statusLine says in one line what the agent sees.
func statusLine(s agent.Snapshot, paused bool) string {
	seen := 0
	for _, l := range s.Frame.Looks {
		if l.Reason == "" {
			seen++
		}
	}
	switch {
	case paused:
		return "paused; the driver is let go"
	case !s.Frame.Driver.Up:
		return "no driver: " + s.Frame.Driver.Reason
	default:
		return fmt.Sprintf("driver %s, %d of %d GPUs observed", s.Frame.Driver.Version, seen, len(s.Frame.Looks))
	}
}

// writePlace says where the node stands and who said so, who did not answer, and
// how many GPUs are missing there.
func writePlace(w io.Writer, s *agent.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "stands in")
	for _, f := range s.Cloud.Fields() {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", f.Name, f.Value, f.From)
	}
	if len(s.Cloud.Fields()) == 0 {
		fmt.Fprintln(t, "  unknown")
	}
	for _, source := range slices.Sorted(maps.Keys(s.Cloud.Failed)) {
		fmt.Fprintf(t, "  %s fails\t%s\n", source, s.Cloud.Failed[source])
	}
	if s.Missing > 0 {
		fmt.Fprintf(t, "%d of %d GPUs are missing\n", s.Missing, s.Expected)
	}
	return t.Flush()
}

// writeSources says which sources of holders work.
func writeSources(w io.Writer, sources []holder.Source) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "holders from")
	for _, s := range sources {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", s.Name, s.State, s.Detail)
	}
	return t.Flush()
}

func stateFlag(cmd *cobra.Command, state *string) {
	cmd.Flags().StringVar(state, "state", defaultState, "state folder of the agent")
}

func call(ctx context.Context, state, method, path string, q url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return agent.CallControl(ctx, filepath.Join(state, agent.Control), method, path, q)
}

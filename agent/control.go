package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/agent/holder"
)

// Control is the name of the control socket in the agent's state folder. Who
// can write there can pause the agent; nothing else can be done through it.
const Control = "control.sock"

// ListenControl opens the control socket. A socket left over by a killed agent
// is replaced: the caller holds the agent's lock.
func ListenControl(ctx context.Context, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace control socket: %w", err)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	return ln, nil
}

// ControlHandler serves the control socket.
func (a *Agent) ControlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /pause", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.URL.Query().Get("for"))
		if err != nil || d <= 0 {
			http.Error(w, fmt.Sprintf("pause: %q is not a positive duration", r.URL.Query().Get("for")), http.StatusBadRequest)
			return
		}
		if err := a.Pause(r.Context(), d); err != nil {
			http.Error(w, "pause: "+err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /resume", func(w http.ResponseWriter, _ *http.Request) {
		a.Resume()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(a.status()); err != nil {
			a.cfg.Log.Debug("status not sent", "err", err)
		}
	})
	return mux
}

// Status is what the control socket tells.
type Status struct {
	Node   string      `json:"node"`
	Driver string      `json:"driver"`
	Paused bool        `json:"paused"`
	GPUs   []GPUStatus `json:"gpus"`
	// Holders says which sources of holders work.
	Holders []holder.Source `json:"holders"`
	// Cloud is where the node stands, who said so and who did not answer.
	Cloud cloud.Found `json:"cloud"`
	// Expected is how many GPUs the node should have, zero where nobody says,
	// and Missing how many of them were never seen although the driver answers.
	Expected int `json:"expected_gpus,omitempty"`
	Missing  int `json:"missing_gpus,omitempty"`
}

// GPUStatus is one GPU of a Status.
type GPUStatus struct {
	UUID     string `json:"uuid"`
	Index    int    `json:"index"`
	Name     string `json:"name"`
	Observed bool   `json:"observed"`
	Reason   string `json:"reason,omitempty"`
}

func (a *Agent) status() Status {
	s, st := a.Snapshot(), a.Stats()
	out := Status{
		Node: s.Node.Name, Driver: s.Frame.Driver.Version, Paused: st.Paused, Holders: a.holders.Sources(),
		Cloud: s.Cloud, Expected: s.Node.ExpectedGPUs, Missing: s.Missing,
	}
	if !s.Frame.Driver.Up {
		out.Driver = s.Frame.Driver.Reason
	}
	for _, l := range s.Frame.Looks {
		out.GPUs = append(out.GPUs, GPUStatus{UUID: l.GPU.UUID, Index: l.GPU.Index, Name: l.GPU.Name, Observed: l.Reason == "", Reason: l.Reason})
	}
	return out
}

// CallControl sends a request to the agent whose state folder holds the socket
// and returns its answer.
func CallControl(ctx context.Context, socket, method, path string, query url.Values) ([]byte, error) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	u := url.URL{Scheme: "http", Host: "agent", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the agent at %s (does it run, and under your user?): %w", socket, errors.Unwrap(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("ask the agent at %s: %w", socket, err)
	}
	if res.StatusCode >= 300 {
		return nil, errors.New(strings.TrimSpace(string(body)))
	}
	return body, nil
}

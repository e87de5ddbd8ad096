package collector

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"
)

// TestConnectionsEndBeyondTheLimit has three of two, and then two again.
func TestConnectionsEndBeyondTheLimit(t *testing.T) {
	var open connections
	server := httptest.NewUnstartedServer(open.limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), 2))
	server.Config.ConnState = open.note
	server.Start()
	defer server.Close()
	ask := func(client *http.Client) (ended bool) {
		t.Helper()
		res, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		return res.Close
	}
	var clients [3]*http.Client // of a connection each
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{}}
		if ended, want := ask(clients[i]), i == 2; ended != want {
			t.Errorf("connection %d of at most two ended: %v, want %v", i+1, ended, want)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); open.open.Load() > 2; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open, want two", open.open.Load())
		}
	}
	if ask(clients[0]) {
		t.Error("one of two connections ended")
	}
}

package collector

import (
	"net"
	"net/http"
	"sync/atomic"
)

// maxOpen is how many connections may be open and wait for the next post of
// their agent, a minute later. Each takes 21 KiB of memory, and TLS as much
// again; a million GPUs are some 150,000 agents.
const maxOpen = 16_384

// connections counts those of a server. The zero connections are none; the
// methods may be called concurrently.
type connections struct{ open atomic.Int64 }

// note is told of every change of a connection's state.
func (c *connections) note(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		c.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

// limit lets an answer end its connection while there are more than most.
func (c *connections) limit(next http.Handler, most int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.open.Load() > most {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

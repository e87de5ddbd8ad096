package metadata

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Network is a node's way to its metadata services, without a network: it leads
// from the fixed addresses to handlers in this process. An address that nobody
// serves is refused; one that is silent never connects. Its methods may be
// called concurrently. The zero Network leads nowhere.
type Network struct {
	mu      sync.Mutex // guards what follows
	ends    map[string]*end
	silent  map[string]bool
	dialled []string
	serving sync.WaitGroup
}

// Serve makes h answer at an address, as 169.254.169.254:80, until Close or until
// another does.
func (n *Network) Serve(address string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ends == nil {
		n.ends = map[string]*end{}
	}
	e := &end{conns: make(chan net.Conn), closed: make(chan struct{}), srv: &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}}
	if old := n.ends[address]; old != nil {
		_ = old.srv.Close()
	}
	n.ends[address] = e
	n.serving.Go(func() { _ = e.srv.Serve(e) })
}

// Silence makes an address swallow every attempt to connect, as a missing route
// or a firewall does.
func (n *Network) Silence(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.silent == nil {
		n.silent = map[string]bool{}
	}
	n.silent[address] = true
}

// Dial connects to an address, as net.Dialer.DialContext.
func (n *Network) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialled = append(n.dialled, address)
	e, silent := n.ends[address], n.silent[address]
	n.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if e == nil {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	ours, theirs := net.Pipe()
	select {
	case e.conns <- theirs:
		return ours, nil
	case <-e.closed:
	case <-ctx.Done():
	}
	return nil, fmt.Errorf("dial %s: connection refused", address)
}

// Dialled returns all addresses that were dialled, sorted, each once.
func (n *Network) Dialled() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := slices.Clone(n.dialled)
	slices.Sort(out)
	return slices.Compact(out)
}

// Close ends every service and waits for it.
func (n *Network) Close() {
	n.mu.Lock()
	for _, e := range n.ends {
		_ = e.srv.Close()
	}
	n.mu.Unlock()
	n.serving.Wait()
}

// end is a listener whose connections come from Dial.
type end struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	srv    *http.Server
}

func (e *end) Accept() (net.Conn, error) {
	select {
	case c := <-e.conns:
		return c, nil
	case <-e.closed:
		return nil, net.ErrClosed
	}
}

func (e *end) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

func (e *end) Addr() net.Addr { return pipe{} }

type pipe struct{}

func (pipe) Network() string { return "pipe" }
func (pipe) String() string  { return "pipe" }

package collector_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
)

// nobody is a listener that nobody connects to.
type nobody struct{ closed chan struct{} }

func (n nobody) Accept() (net.Conn, error) {
	<-n.closed
	return nil, net.ErrClosed
}

func (n nobody) Close() error {
	select {
	case <-n.closed:
	default:
		close(n.closed)
	}
	return nil
}

func (n nobody) Addr() net.Addr { return &net.TCPAddr{} }

func TestCollectorWritesDownWhenItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		serve := func(d time.Duration) {
			c := collector.New(collector.Config{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if err := c.Serve(ctx, nobody{make(chan struct{})}); err != nil {
				t.Error(err)
			}
		}
		begin := time.Now().UnixMilli()
		serve(10*time.Minute + 20*time.Second)
		time.Sleep(7 * time.Minute)
		again := time.Now().UnixMilli()
		serve(30 * time.Second)
		got, err := st.Lives(t.Context())
		if err != nil || len(got) != 2 {
			t.Fatalf("lives = %v, %v", got, err)
		}
		const second = 1000
		for i, want := range []contract.Life{{FromMs: begin, ToMs: begin + 620*second}, {FromMs: again, ToMs: again + 30*second}} {
			if got[i] != want {
				t.Errorf("life %d = %v, want %v", i, got[i], want)
			}
		}
	})
}

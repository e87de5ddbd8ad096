package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
)

// demoServer is a collector in this process.
type demoServer struct {
	url   string
	store store.Store
	*collector.Collector
	end  context.CancelFunc
	done chan error // Serve's outcome
}

// openDemoStore opens the embedded store of a data folder.
func openDemoStore(ctx context.Context, dir string, log *slog.Logger) (store.Store, error) {
	db, err := duckdb.Open(ctx, filepath.Join(dir, demoStoreFolder), duckdb.Options{Log: log})
	if err != nil {
		return nil, err // not db: a nil *DB is not a nil Store
	}
	return db, nil
}

// startServer starts a collector on the contract file of the data folder,
// which may come later, and on st, which it closes. It runs until stop, also
// when ctx ends before: agents have something to send when they end.
func (d *demo) startServer(ctx context.Context, st store.Store) (*demoServer, error) {
	book, err := collector.OpenBook(filepath.Join(d.dir, demoContractsFile), d.log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, st.Close())
	}
	l, err := collector.Listen(ctx, collector.Address{Addr: d.args.Listen}, collector.Tokens{})
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w (another demo or collector? give --listen another port)", err)
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	c := collector.New(collector.Config{Store: st, Book: book, Now: d.now, Log: d.log, Version: version})
	s := &demoServer{url: "http://" + l.Addr().String(), store: st, Collector: c, done: make(chan error, 1)}
	serveCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.end = cancel
	go s.serve(serveCtx, l)
	return s, nil
}

func (s *demoServer) serve(ctx context.Context, l net.Listener) { s.done <- s.Serve(ctx, l) }

// stop ends the collector and closes the store.
func (s *demoServer) stop() error {
	s.end()
	err := <-s.done
	if closeErr := s.store.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("close store: %w", closeErr))
	}
	return err
}

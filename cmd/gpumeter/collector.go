package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/gpumeter/gpumeter/cmd/internal/environ"
	"github.com/gpumeter/gpumeter/cmd/internal/systemd"
	"github.com/gpumeter/gpumeter/collector"
)

// collectorArgs is what `gpumeter collector` is asked.
type collectorArgs struct {
	Data, Store, Contracts  string
	AgentTokens, ReadTokens string
	LogLevel                string
	MemoryMiB               int64
	KeepMinutes             string
	Backups                 collector.Backups
	Address                 collector.Address
}

// defaultAddress is where a collector listens.
const defaultAddress = "127.0.0.1:9410"

// collectorEnvironment begins the names of variables that are settings.
const collectorEnvironment = "GPUMETER_COLLECTOR"

func newCollector() *cobra.Command {
	var a collectorArgs
	cmd := &cobra.Command{
		Use:   "collector {--data DIR | --store clickhouse://…}",
		Short: "Take batches from agents, keep them, answer with reports",
		Long: `collector takes what agents metered, keeps it in an embedded store or in
ClickHouse, and serves reports as a page, as JSON and as CSV. Plain HTTP is for
loopback only: any other address needs a certificate and tokens.

With --store, any number of collectors may share a database and an address; the
data folder, if one is named, then holds only what clouds billed.

The contract file is read again when it changes, and on SIGHUP; one with a
mistake leaves the contracts before it in force.

` + environ.Help(collectorEnvironment) + `

Started by systemd, it takes the unit's credentials agent-tokens, read-tokens,
tls-cert and tls-key for the files that no flag names.`,
		Example: `  gpumeter collector --data /var/lib/gpumeter --contracts contracts.yaml
  gpumeter collector --data /var/lib/gpumeter --contracts contracts.yaml --listen :9410 \
    --tls-cert cert.pem --tls-key key.pem --agent-tokens agents.token --read-tokens readers.token
  gpumeter collector --store 'clickhouse://gpumeter@db1:9440,db2:9440/gpumeter?cluster=main&tls=true&password-file=db.password'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := environ.Fill(cmd.Flags(), collectorEnvironment, os.Environ()); err != nil {
				return usageError{err}
			}
			a.takeCredentials()
			return runCollector(cmd.Context(), a)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Data, "data", "", "folder of the embedded store")
	f.StringVar(&a.Store, "store", "", "database to use instead, clickhouse://[USER@]HOST:PORT/DATABASE?…")
	f.StringVar(&a.Contracts, "contracts", "", "contract file")
	f.StringVar(&a.Address.Addr, "listen", defaultAddress, "address to listen on")
	f.StringVar(&a.Address.CertFile, "tls-cert", "", "certificate, PEM")
	f.StringVar(&a.Address.KeyFile, "tls-key", "", "key of the certificate, PEM")
	f.StringVar(&a.AgentTokens, "agent-tokens", "", "file with the tokens that agents may use, one a line")
	f.StringVar(&a.ReadTokens, "read-tokens", "", "file with the tokens that readers of reports may use, one a line")
	f.Int64Var(&a.MemoryMiB, "memory-mib", 512, "memory limit of the store in MiB")
	f.StringVar(&a.Backups.Dir, "backups", "", "folder of its own to back the embedded store up into, while it is used")
	f.DurationVar(&a.Backups.Every, "backup-every", 24*time.Hour, "time between backups")
	f.IntVar(&a.Backups.Keep, "backup-keep", 7, "backups to keep; older ones of this collector are deleted")
	f.StringVar(&a.KeepMinutes, "keep-minutes", "35d", "how long records are kept that say no more than their hour records, such as 35d; 0 is for ever")
	f.StringVar(&a.LogLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func runCollector(ctx context.Context, a collectorArgs) error {
	log, err := newLog(a.LogLevel)
	if err != nil {
		return err
	}
	manager, err := systemd.Find(log)
	if err != nil {
		return err
	}
	if a.MemoryMiB < 64 {
		return usageError{fmt.Errorf("memory limit of %d MiB is less than 64 MiB", a.MemoryMiB)}
	}
	if err := a.checkPlace(); err != nil {
		return err
	}
	keep, err := keepMinutes(a.KeepMinutes)
	if err != nil {
		return err
	}
	tokens, err := a.tokens()
	if err != nil {
		return err
	}
	book := &collector.Book{}
	if a.Contracts != "" {
		if book, err = collector.OpenBook(a.Contracts, log); err != nil {
			return err
		}
	}
	// The address first: a mistake in it must not leave a new store behind.
	ln, err := collector.Listen(ctx, a.Address, tokens)
	if err != nil {
		return err
	}
	p, err := a.open(ctx, log)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	c := collector.New(p.config(collector.Config{Book: book, Tokens: tokens, Backups: a.Backups, KeepMinutes: keep, Now: time.Now, Log: log, Version: version}))
	log.Info("collector runs", "listen", ln.Addr().String(), "data", a.Data, "store", p.store.ID())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.Serve(ctx, ln) })
	g.Go(func() error { return reloadOnHangup(ctx, book) })
	g.Go(func() error {
		manager.Follow(ctx, systemd.Service{})
		return nil
	})
	return errors.Join(g.Wait(), p.store.Close())
}

// takeCredentials names the files that a unit gave for those that no flag names.
func (a *collectorArgs) takeCredentials() {
	for name, file := range map[string]*string{
		"agent-tokens": &a.AgentTokens, "read-tokens": &a.ReadTokens, "tls-cert": &a.Address.CertFile, "tls-key": &a.Address.KeyFile,
	} {
		*file = cmp.Or(*file, systemd.Credential(name))
	}
}

// keepMinutes reads a span of days or hours; zero is for ever.
func keepMinutes(s string) (time.Duration, error) {
	if s == "0" || s == "" {
		return 0, nil
	}
	d, err := collector.ParseSince(s)
	if err != nil {
		return 0, usageError{fmt.Errorf("--keep-minutes %q is neither 0 nor a span of time such as 35d", s)}
	}
	if d < collector.LeastKeepMinutes {
		return 0, usageError{fmt.Errorf("--keep-minutes %s is less than 3d: agents send again what is younger", s)}
	}
	return d, nil
}

func (a collectorArgs) tokens() (t collector.Tokens, err error) {
	if a.AgentTokens != "" {
		if t.Agents, err = collector.ReadTokens(a.AgentTokens); err != nil {
			return t, err
		}
	}
	if a.ReadTokens != "" {
		t.Readers, err = collector.ReadTokens(a.ReadTokens)
	}
	return t, err
}

// reloadOnHangup reads the contract file on SIGHUP.
func reloadOnHangup(ctx context.Context, book *collector.Book) error {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGHUP)
	defer signal.Stop(ch)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ch:
			_ = book.Reload() // it logs what is in force now
		}
	}
}

func newLog(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("log level %q is not debug, info, warn or error", level)}
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l})), nil
}

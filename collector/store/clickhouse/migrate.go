package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// migration brings the tables of one server up to date.
type migration struct {
	address Address
	shard   int
}

// run makes the database and runs the migrations that this server has not
// seen. It may run on several servers, and several times on one, at once.
func (m migration) run(ctx context.Context, r *replica) error {
	if err := m.found(ctx, r.address); err != nil {
		return fmt.Errorf("make database %s: %w", m.address.Database, err)
	}
	if err := r.exec(ctx, "CREATE TABLE IF NOT EXISTS schema (version UInt32) ENGINE = MergeTree ORDER BY version"); err != nil {
		return fmt.Errorf("make table schema: %w", err)
	}
	var version uint32
	if err := r.conn.QueryRow(ctx, "SELECT max(version) FROM schema").Scan(&version); err != nil {
		return fmt.Errorf("read table schema: %w", err)
	}
	if int(version) > len(migrations) {
		return fmt.Errorf("the store has schema %d, this program knows schemas up to %d: use a newer gpumeter", version, len(migrations))
	}
	if version == unreleased {
		return fmt.Errorf("the store has schema %d, which no release of gpumeter had: use another database", version)
	}
	for n := int(version); n < len(migrations); n++ {
		if migrations[n] == "" {
			continue
		}
		err := r.exec(ctx, m.statements(r, migrations[n])...)
		if err == nil {
			err = r.exec(ctx, fmt.Sprintf("INSERT INTO schema SELECT toUInt32(%d)", n+1))
		}
		if err != nil {
			return fmt.Errorf("bring the store from schema %d to %d: %w", n, n+1, err)
		}
	}
	return nil
}

// found makes the database, from outside of it.
func (m migration) found(ctx context.Context, address string) error {
	outside := m.address
	outside.Database = ""
	conn, err := dial(address, outside)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+m.address.Database)
}

// statements are those of a migration, as this server takes them. On a cluster
// every table has a view of all shards beside it, for people.
func (m migration) statements(r *replica, text string) []string {
	var out []string
	for s := range strings.SplitSeq(text, ";\n") {
		_, rest, ok := strings.Cut(s, "CREATE TABLE IF NOT EXISTS ")
		if !ok {
			continue
		}
		table, _, _ := strings.Cut(rest, " ")
		out = append(out, strings.ReplaceAll(s, "{engine}", m.engine(table))+r.settings())
		if m.address.Cluster != "" {
			out = append(out, fmt.Sprintf("CREATE TABLE IF NOT EXISTS all_%s AS %s ENGINE = Distributed('%s', '%s', '%s')",
				table, table, m.address.Cluster, m.address.Database, table))
		}
	}
	for i, s := range out {
		out[i] = strings.ReplaceAll(s, "{address}", r.address)
	}
	return out
}

func (m migration) engine(table string) string {
	if m.address.Cluster == "" {
		return "ReplacingMergeTree()"
	}
	return fmt.Sprintf("ReplicatedReplacingMergeTree('/gpumeter/%s/%d/%s', '{address}')", m.address.Database, m.shard, table)
}

// granule is how many rows an index entry stands for. A batch is a row with
// many records, and is looked up by its identity.
const granule = 512

// settings returns a table's clause of settings. Servers call fsync before they
// say that rows are written; those of before 2021 cannot.
func (r *replica) settings() string {
	list := []string{fmt.Sprintf("index_granularity = %d", granule)}
	for name := range r.known(ch.Settings{"merge_tree.fsync_after_insert": 1, "merge_tree.fsync_part_directory": 1}) {
		list = append(list, strings.TrimPrefix(name, "merge_tree.")+" = 1")
	}
	slices.Sort(list)
	return " SETTINGS " + strings.Join(list, ", ")
}

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"strconv"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// find returns the shards of a database, in their order, and connects to
// nothing that it need not ask.
func find(ctx context.Context, o Options) ([]*shard, error) {
	a := o.Address
	if a.Cluster == "" {
		if len(a.Hosts) != 1 {
			return nil, errors.New("several hosts are a cluster: name it with cluster=NAME")
		}
		return assemble([]place{{1, a.Hosts[0]}}, o)
	}
	var all error
	for _, host := range a.Hosts {
		places, err := members(ctx, host, a)
		if err == nil && len(places) == 0 {
			return nil, fmt.Errorf("%s knows no cluster %q: it is not among the remote_servers of its configuration", host, a.Cluster)
		}
		if err == nil {
			return assemble(places, o)
		}
		all = errors.Join(all, fmt.Errorf("ask %s for the cluster: %w", host, err))
	}
	return nil, all
}

// place is one replica of one shard.
type place struct {
	shard   int
	address string
}

// members asks a server for the replicas of its cluster.
func members(ctx context.Context, host string, a Address) ([]place, error) {
	a.Database = ""
	conn, err := dial(host, a)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	rows, err := conn.Query(ctx, sqlMembers, ch.Named("cluster", a.Cluster))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []place
	for rows.Next() {
		var p place
		var number uint32
		var name string
		var port uint16
		if err := rows.Scan(&number, &name, &port); err != nil {
			return nil, err
		}
		p.shard, p.address = int(number), net.JoinHostPort(name, strconv.Itoa(int(port)))
		out = append(out, p)
	}
	return out, rows.Err()
}

// assemble makes shards of places that stand in their order.
func assemble(places []place, o Options) ([]*shard, error) {
	var out []*shard
	for _, p := range places {
		if n := len(out); n == 0 || out[n-1].number != p.shard {
			out = append(out, &shard{number: p.shard, address: o.Address, log: o.Log, migrate: migration{o.Address, p.shard}.run})
		}
		r, err := connect(p.address, o.Address)
		if err != nil {
			return nil, err
		}
		s := out[len(out)-1]
		s.replicas = append(s.replicas, r)
	}
	for _, s := range out {
		if o.Address.Cluster == "" {
			continue
		}
		if s.quorum = min(2, len(s.replicas)); o.Address.Quorum > 0 {
			s.quorum = o.Address.Quorum
		}
		if s.quorum > len(s.replicas) {
			return nil, fmt.Errorf("a quorum of %d is more than the %d replicas of shard %d", s.quorum, len(s.replicas), s.number)
		}
	}
	return out, nil
}

// prepare gets the replicas of a shard ready. Those that are away are made
// ready when they are back; one must be there.
func (s *shard) prepare(ctx context.Context) error {
	var all error
	there := 0
	for _, r := range s.replicas {
		if err := r.ready(ctx, s); err != nil {
			if !isPassing(err) {
				return fmt.Errorf("%s: %w", r.address, err)
			}
			s.log.Warn("replica away", "shard", s.number, "replica", r.address, "err", err)
			all = errors.Join(all, fmt.Errorf("%s: %w", r.address, err))
			continue
		}
		there++
	}
	if there == 0 {
		return fmt.Errorf("shard %d has no replica that answers: %w", s.number, all)
	}
	return nil
}

// shardOf returns the shard on which an agent's batches are written. Where they
// are found does not depend on it: all shards are asked.
func (d *DB) shardOf(agent string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(agent)) // never fails, says its documentation
	return int(h.Sum64() % uint64(len(d.shards)))
}

package clickhouse

import (
	"context"
	"errors"
)

// Drop takes away the database of a store that is closed, from all servers.
func Drop(ctx context.Context, o Options) error {
	shards, err := find(ctx, o.withDefaults())
	if err != nil {
		return err
	}
	outside := o.Address
	outside.Database = ""
	for _, s := range shards {
		for _, r := range s.replicas {
			conn, e := dial(r.address, outside)
			if e == nil {
				e = errors.Join(conn.Exec(ctx, "DROP DATABASE IF EXISTS "+o.Address.Database), conn.Close())
			}
			err = errors.Join(err, e)
		}
		err = errors.Join(err, s.close())
	}
	return err
}

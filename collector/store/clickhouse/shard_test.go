package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// shardOf makes a shard of replicas that need not be made ready.
func shardOf(n int) *shard {
	s := &shard{number: 1}
	for i := range n {
		s.replicas = append(s.replicas, &replica{address: fmt.Sprint(i), prepared: true})
	}
	return s
}

var (
	errGone  = &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	errBusy  = &ch.Exception{Code: 286, Message: "Quorum for previous write has not been satisfied yet"}
	errWrong = &ch.Exception{Code: 62, Message: "Syntax error"}
)

func TestDoGoesOnToTheNextReplica(t *testing.T) {
	s := shardOf(3)
	var asked []string
	f := func(_ context.Context, r *replica) error {
		asked = append(asked, r.address)
		if r.address != "2" {
			return errGone
		}
		return nil
	}
	for range 2 { // the second time it begins with the one that answered
		if err := s.do(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(asked); got != "[0 1 2 2]" {
		t.Errorf("asked %s, want [0 1 2 2]", got)
	}
}

func TestDoRepeatsOnlyWhatMayPass(t *testing.T) {
	f := func(replicas int, failure error, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s, began := shardOf(replicas), time.Now()
			err := s.do(t.Context(), func(context.Context, *replica) error { return failure })
			if took := time.Since(began); !errors.Is(err, failure) || took < want || took > want+time.Second {
				t.Errorf("%d replicas: %v after %v, want %v after %v", replicas, err, took, failure, want)
			}
		})
	}
	f(2, errWrong, 0)
	f(1, errGone, 0) // nobody else can answer
	f(2, errGone, patience)
	f(1, errBusy, patience)
	f(2, errBusy, patience)
	f(1, errors.New("a row that the client cannot read"), 0)
}

func TestDoEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second-pause/2)
		defer cancel()
		began := time.Now()
		err := shardOf(2).do(ctx, func(context.Context, *replica) error { return errBusy })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second-pause/2 {
			t.Errorf("%v after %v, want the end of the context", err, time.Since(began))
		}
	})
}

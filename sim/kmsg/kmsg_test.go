package kmsg_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/sim/kmsg"
)

func Example() {
	log := kmsg.New(2, func() time.Duration { return 1500 * time.Millisecond })
	tail := log.Open()
	defer tail.Close()
	for _, text := range []string{"first", "second", "two\nlines"} {
		log.Write(text)
	}
	log.WriteAs(12, "of a program")
	buf := make([]byte, 100)
	for range 4 {
		n, waited, err := tail.Read(buf, time.Millisecond)
		fmt.Printf("%q %v %v\n", buf[:n], waited, err)
	}
	// Output:
	// "" false broken pipe
	// "4,2,1500000,-;two\\x0alines\n" false <nil>
	// "12,3,1500000,-;of a program\n" false <nil>
	// "" true i/o timeout
}

func TestCloseEndsARead(t *testing.T) {
	tail := kmsg.New(2, func() time.Duration { return 0 }).Open()
	done := make(chan error, 1)
	go func() {
		_, _, err := tail.Read(make([]byte, 10), time.Hour)
		done <- err
	}()
	tail.Close()
	tail.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read = %v, want %v", err, os.ErrClosed)
	}
	if _, _, err := tail.Read(nil, 0); errors.Is(err, syscall.EPIPE) || err == nil {
		t.Errorf("Read after Close = %v", err)
	}
}

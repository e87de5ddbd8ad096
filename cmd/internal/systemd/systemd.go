// Package systemd tells systemd how a service does: that it is ready, that it
// works, that it ends. A program that systemd did not start tells nobody.
//
// It is the protocol of sd_notify(3): words in a datagram. The worker that an
// agent starts must not speak for it, so the variables that name the socket are
// taken out of the environment when they are read.
package systemd

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Manager is the systemd that started this process. The zero Manager is nobody.
type Manager struct {
	send     func(words string) error // nil: nobody is told
	watchdog time.Duration            // zero: nobody waits for signs of life
	log      *slog.Logger
}

// sendLimit is how long a datagram may wait for a systemd that is busy.
const sendLimit = 5 * time.Second

// Find returns who started this process, by NOTIFY_SOCKET, WATCHDOG_USEC and
// WATCHDOG_PID, which it removes from the environment: call it once.
func Find(log *slog.Logger) (Manager, error) {
	socket, usec, pid := take("NOTIFY_SOCKET"), take("WATCHDOG_USEC"), take("WATCHDOG_PID")
	if socket == "" {
		return Manager{}, nil
	}
	m := Manager{send: func(words string) error { return send(socket, words) }, log: log}
	if usec == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return m, nil
	}
	us, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || us <= 0 {
		return m, fmt.Errorf("WATCHDOG_USEC %q is not a positive number of microseconds", usec)
	}
	m.watchdog = time.Duration(us) * time.Microsecond
	return m, nil
}

// take returns a variable and removes it.
func take(name string) string {
	v := os.Getenv(name)
	_ = os.Unsetenv(name) // it fails for an empty name only
	return v
}

// send sends one datagram. A name that begins with @ is an abstract socket's.
func send(socket, words string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	err = conn.SetWriteDeadline(time.Now().Add(sendLimit))
	if err == nil {
		_, err = conn.Write([]byte(words))
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}

// tell sends words, one a line. What systemd does not hear it will act upon, so
// trouble is only logged.
func (m Manager) tell(words ...string) {
	if err := m.send(strings.Join(words, "\n")); err != nil {
		m.log.Warn("systemd is not told", "err", err)
	}
}

// Credential returns the path of a credential that the unit has given to this
// process (LoadCredential=); empty if it gave none, or one without a word in it:
// that is how a unit says what counts where a file is missing (SetCredential=).
func Credential(name string) string {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, name)
	if text, err := os.ReadFile(path); err != nil || len(bytes.TrimSpace(text)) == 0 {
		return ""
	}
	return path
}

package clickhouse

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Address says where a database is and how it is reached.
type Address struct {
	Hosts    []string // HOST:PORT of the native protocol
	Database string
	User     string
	Password string
	// Cluster names a cluster of the servers' configuration; empty for one
	// node. Its shards and replicas are asked of the hosts.
	Cluster string
	// Quorum is how many replicas of a shard have a batch before it is
	// acknowledged; 0 means two where a shard has as many.
	Quorum int
	TLS    *tls.Config // nil: plaintext
}

// String returns the address without who uses it and how.
func (a Address) String() string {
	s := "clickhouse://" + strings.Join(a.Hosts, ",") + "/" + a.Database
	if a.Cluster != "" {
		s += "?cluster=" + url.QueryEscape(a.Cluster)
	}
	return s
}

const addressForm = "clickhouse://[USER@]HOST:PORT[,HOST:PORT…]/DATABASE?PARAMETER=VALUE&…"

// ParseAddress reads an address of the form
//
//	clickhouse://[USER@]HOST:PORT[,HOST:PORT…]/DATABASE?PARAMETER=VALUE&…
//
// with the parameters cluster, quorum, password-file, tls (true or false), ca,
// cert and key (PEM files). A password in the address itself is refused: other
// processes could read it. Without tls, only loopback is reached in plaintext
// unless tls=false says so.
func ParseAddress(text string) (Address, error) {
	rest, ok := strings.CutPrefix(text, "clickhouse://")
	rest, parameters, _ := strings.Cut(rest, "?")
	hosts, database, cut := strings.Cut(rest, "/")
	user := ""
	if i := strings.LastIndex(hosts, "@"); i >= 0 {
		user, hosts = hosts[:i], hosts[i+1:]
	}
	if strings.Contains(user, ":") {
		return Address{}, errors.New("store address: a password does not belong there; name a file with password-file=FILE")
	}
	if !ok || !cut || !isName(database) || user != "" && !isName(user) {
		return Address{}, fmt.Errorf("store address is not of the form %s, with names of letters, digits and _", addressForm)
	}
	a := Address{Hosts: strings.Split(hosts, ","), Database: database, User: user}
	for _, h := range a.Hosts {
		if host, port, err := net.SplitHostPort(h); err != nil || host == "" || port == "" {
			return Address{}, fmt.Errorf("store address: %q is not HOST:PORT", h)
		}
	}
	if err := a.parameters(parameters); err != nil {
		return Address{}, fmt.Errorf("store address: %w", err)
	}
	return a, nil
}

// isName reports whether s can stand in a statement as it is.
func isName(s string) bool {
	letter := func(r rune) bool { return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	for i, r := range s {
		if !letter(r) && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// parameters reads the part behind the question mark.
func (a *Address) parameters(raw string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	get := func(key string) string {
		v := values.Get(key)
		delete(values, key)
		return v
	}
	if a.Cluster = get("cluster"); a.Cluster != "" && !clusterName.MatchString(a.Cluster) {
		return fmt.Errorf("cluster %q is not a name of letters, digits, dots, - and _", a.Cluster)
	}
	if q := get("quorum"); q != "" {
		if a.Quorum, err = strconv.Atoi(q); err != nil || a.Quorum < 1 || a.Quorum > 99 {
			return fmt.Errorf("quorum %q is not a number of replicas", q)
		}
	}
	if name := get("password-file"); name != "" {
		if a.Password, err = readPassword(name); err != nil {
			return err
		}
	}
	if err := a.transport(get("tls"), get("ca"), get("cert"), get("key")); err != nil {
		return err
	}
	for key := range values {
		return fmt.Errorf("unknown parameter %q: cluster, quorum, password-file, tls, ca, cert and key are known", key)
	}
	return nil
}

var clusterName = regexp.MustCompile(`^[\w.-]{1,64}$`)

// maxPassword bounds a password, in bytes.
const maxPassword = 4096

func readPassword(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPassword+1))
	if err == nil && len(text) > maxPassword {
		err = fmt.Errorf("%s has more than %d bytes", name, maxPassword)
	}
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// transport decides whether the connection is encrypted, and how.
func (a *Address) transport(on, ca, cert, key string) error {
	if on == "" && ca+cert+key != "" {
		on = "true"
	}
	switch {
	case on == "true":
		return a.encrypt(ca, cert, key)
	case on != "" && on != "false":
		return fmt.Errorf("tls=%q is neither true nor false", on)
	case ca+cert+key != "":
		return errors.New("tls=false, but there are files for TLS")
	}
	for _, h := range a.Hosts {
		if on == "" && !isLoopback(h) {
			return fmt.Errorf("%s is not on loopback: say tls=true, or tls=false if the network is trusted", h)
		}
	}
	return nil
}

func (a *Address) encrypt(ca, cert, key string) error {
	a.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return fmt.Errorf("read certificate authority: %w", err)
		}
		a.TLS.RootCAs = x509.NewCertPool()
		if !a.TLS.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("certificate authority %s: no certificate in it", ca)
		}
	}
	if cert+key == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("read client certificate: %w", err)
	}
	a.TLS.Certificates = []tls.Certificate{pair}
	return nil
}

func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

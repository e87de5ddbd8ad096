// Package kubeconfig reads which Kubernetes cluster somebody's kubectl speaks to,
// and as whom.
//
// It knows certificates and tokens. What else a kubeconfig may ask for, as a
// program that makes tokens, is an error that says how to go on without it; it
// is never left out in silence.
package kubeconfig

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
)

// Access is a cluster's API server, and what it is shown. It holds secrets.
type Access struct {
	Context string
	Server  *url.URL
	Token   string // empty sends none
	TLS     *tls.Config
}

// Files returns the kubeconfigs that kubectl would read: the one that is given,
// or those of KUBECONFIG that are there, or that of the user's home. A file that
// is given may be missing.
func Files(given string) []string {
	if given != "" {
		return []string{given}
	}
	names := filepath.SplitList(os.Getenv("KUBECONFIG"))
	if len(names) == 0 {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil // a process without a home has no kubeconfig in it
		}
		names = []string{filepath.Join(home, ".kube", "config")}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Stat(name)
		return name == "" || errors.Is(err, fs.ErrNotExist)
	})
}

// Load returns what kubeconfigs say of a context, or of their current one where
// it is empty. Of several things with one name, in one file or many, the first
// counts, as for kubectl. Errors name the file, the thing in it and the key.
func Load(files []string, context string) (Access, error) {
	var all document
	for _, name := range files {
		d, err := read(name)
		if err != nil {
			return Access{}, fmt.Errorf("read kubeconfig %s: %w", name, err)
		}
		all.add(&d)
	}
	where := "read kubeconfig " + strings.Join(files, ", ")
	name := cmp.Or(context, all.CurrentContext)
	if name == "" {
		return Access{}, fmt.Errorf("%s: it has no current-context: name one with --context%s", where, all.offer())
	}
	at := slices.IndexFunc(all.Contexts, func(c namedContext) bool { return c.Name == name })
	if at < 0 {
		return Access{}, fmt.Errorf("%s: it has no context %q%s", where, name, all.offer())
	}
	return all.access(&all.Contexts[at])
}

// offered is how many contexts are named to somebody who chose none that is there.
const offered = 8

// offer names the contexts that are there.
func (d *document) offer() string {
	var names []string
	for _, c := range d.Contexts {
		names = append(names, fmt.Sprintf("%q", c.Name))
	}
	switch {
	case len(names) == 0:
		return " (no context is in it)"
	case len(names) > offered:
		names = append(names[:offered], "…")
	}
	return " (there is " + strings.Join(names, ", ") + ")"
}

// access follows a context to its cluster and its user. A context without a user
// is nobody's.
func (d *document) access(c *namedContext) (Access, error) {
	a := Access{Context: c.Name}
	at := slices.IndexFunc(d.Clusters, func(x namedCluster) bool { return x.Name == c.Context.Cluster })
	if at < 0 {
		return a, c.wrong("context", c.Name, fmt.Errorf("cluster: there is none of the name %q", c.Context.Cluster))
	}
	cluster := &d.Clusters[at]
	if err := cluster.open(&a); err != nil {
		return a, cluster.wrong("cluster", cluster.Name, err)
	}
	if c.Context.User == "" {
		return a, nil
	}
	at = slices.IndexFunc(d.Users, func(x namedUser) bool { return x.Name == c.Context.User })
	if at < 0 {
		return a, c.wrong("context", c.Name, fmt.Errorf("user: there is none of the name %q", c.Context.User))
	}
	user := &d.Users[at]
	if err := user.show(&a); err != nil {
		return a, user.wrong("user", user.Name, err)
	}
	return a, nil
}

// open takes the server and whom it is known by.
func (n *namedCluster) open(a *Access) error {
	c := &n.Cluster
	if c.Server == "" {
		return errors.New("server: there is none")
	}
	u, err := doctor.ParseURL(c.Server)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	switch {
	case c.Insecure:
		return beyond("insecure-skip-tls-verify", "gpumeter sends no token to a server that it cannot check", a.Context)
	case c.ProxyURL != "":
		return beyond("proxy-url", "gpumeter goes through no proxy to a cluster", a.Context)
	}
	ca, err := n.part("certificate-authority", c.CA, c.CAData)
	if err != nil {
		return err
	}
	a.Server, a.TLS = u, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if ca == nil {
		return nil // the authorities of the system
	}
	a.TLS.RootCAs, err = pool(ca)
	return err
}

// show takes what a user shows to the server.
func (n *namedUser) show(a *Access) error {
	u := &n.User
	switch {
	case u.Exec != nil:
		return beyond("exec", fmt.Sprintf("gpumeter does not start %q for a token", u.Exec.Command), a.Context)
	case u.AuthProvider != nil:
		return beyond("auth-provider", fmt.Sprintf("gpumeter knows no %q", u.AuthProvider.Name), a.Context)
	case u.Username != "" || u.Password != "":
		return beyond("username", "gpumeter sends no passwords", a.Context)
	case u.As != "" || u.AsUID != "" || len(u.AsGroups) > 0:
		return beyond("as", "gpumeter asks in nobody else's name", a.Context)
	}
	if err := n.token(a); err != nil {
		return err
	}
	cert, err := n.part("client-certificate", u.Cert, u.CertData)
	if err != nil {
		return err
	}
	key, err := n.part("client-key", u.Key, u.KeyData)
	if err != nil || cert == nil && key == nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("client-certificate and client-key: %w", err)
	}
	a.TLS.Certificates = []tls.Certificate{pair}
	return nil
}

// token takes a user's token; that of a file goes before one that is written here.
func (n *namedUser) token(a *Access) error {
	if n.User.TokenFile != "" {
		token, err := doctor.ReadToken(n.path(n.User.TokenFile))
		if err != nil {
			return fmt.Errorf("tokenFile: %w", err)
		}
		a.Token = token
		return nil
	}
	if strings.ContainsFunc(n.User.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("token: want one word of plain characters")
	}
	a.Token = n.User.Token
	return nil
}

// beyond is the error of a key that this package does not follow.
func beyond(key, why, context string) error {
	return fmt.Errorf("%s: %s; kubectl does: kubectl --context %s proxy --port 8001, then --kubernetes http://127.0.0.1:8001", key, why, doctor.Word(doctor.Plain(context)))
}

package kubeconfig

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is a kubeconfig, as far as it is read; other keys are left alone.
type document struct {
	CurrentContext string         `yaml:"current-context"`
	Contexts       []namedContext `yaml:"contexts"`
	Clusters       []namedCluster `yaml:"clusters"`
	Users          []namedUser    `yaml:"users"`
}

// origin is the file in which a thing stands: paths in it begin at its folder.
type origin struct {
	file string
}

type namedContext struct {
	origin  `yaml:"-"`
	Name    string `yaml:"name"`
	Context struct {
		Cluster string `yaml:"cluster"`
		User    string `yaml:"user"`
	} `yaml:"context"`
}

type namedCluster struct {
	origin  `yaml:"-"`
	Name    string `yaml:"name"`
	Cluster struct {
		Server     string `yaml:"server"`
		ServerName string `yaml:"tls-server-name"`
		CA         string `yaml:"certificate-authority"`
		CAData     string `yaml:"certificate-authority-data"`
		Insecure   bool   `yaml:"insecure-skip-tls-verify"`
		ProxyURL   string `yaml:"proxy-url"`
	} `yaml:"cluster"`
}

type namedUser struct {
	origin `yaml:"-"`
	Name   string `yaml:"name"`
	User   struct {
		Token     string `yaml:"token"`
		TokenFile string `yaml:"tokenFile"`
		Cert      string `yaml:"client-certificate"`
		CertData  string `yaml:"client-certificate-data"`
		Key       string `yaml:"client-key"`
		KeyData   string `yaml:"client-key-data"`

		Exec *struct {
			Command string `yaml:"command"`
		} `yaml:"exec"`
		AuthProvider *struct {
			Name string `yaml:"name"`
		} `yaml:"auth-provider"`
		Username string   `yaml:"username"`
		Password string   `yaml:"password"`
		As       string   `yaml:"as"`
		AsUID    string   `yaml:"as-uid"`
		AsGroups []string `yaml:"as-groups"`
	} `yaml:"user"`
}

// maxBytes bounds a kubeconfig, and each file that it names: those of a thousand
// clusters have some megabytes.
const maxBytes = 8 << 20

// read reads one kubeconfig. Anchors that hold themselves, or unfold without end,
// are errors of the YAML library.
func read(name string) (document, error) {
	var d document
	text, err := readFile(name)
	if err != nil {
		return d, err
	}
	if err := yaml.Unmarshal(text, &d); err != nil {
		if wrong, ok := errors.AsType[*yaml.TypeError](err); ok && len(wrong.Errors) > 0 {
			// The others are on lines of their own; what it is read into is Go's affair.
			said, _, _ := strings.Cut(wrong.Errors[0], " into ")
			return d, fmt.Errorf("%s where a kubeconfig has something else", said)
		}
		return d, err
	}
	for i := range d.Contexts {
		d.Contexts[i].file = name
	}
	for i := range d.Clusters {
		d.Clusters[i].file = name
	}
	for i := range d.Users {
		d.Users[i].file = name
	}
	return d, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && len(text) > maxBytes {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxBytes>>20)
	}
	return text, err
}

// add takes what another kubeconfig has; what is here already goes before it.
func (d *document) add(other *document) {
	if d.CurrentContext == "" {
		d.CurrentContext = other.CurrentContext
	}
	d.Contexts = append(d.Contexts, other.Contexts...)
	d.Clusters = append(d.Clusters, other.Clusters...)
	d.Users = append(d.Users, other.Users...)
}

// wrong is the error of a thing in a file.
func (o *origin) wrong(kind, name string, err error) error {
	return fmt.Errorf("read kubeconfig %s: %s %q: %w", o.file, kind, name, err)
}

// path is that of a file that is named here.
func (o *origin) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(o.file), name)
}

// part returns what stands at KEY-data in base64 or else in the file that stands
// at KEY; nil where neither does.
func (o *origin) part(key, file, data string) ([]byte, error) {
	switch {
	case data != "":
		text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(data))
		if err != nil {
			return nil, fmt.Errorf("%s-data: %w", key, err)
		}
		return text, nil
	case file != "":
		text, err := readFile(o.path(file))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		return text, nil
	}
	return nil, nil
}

// pool holds the certificates of an authority.
func pool(pem []byte) (*x509.CertPool, error) {
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		return nil, errors.New("certificate-authority: it has no certificate in PEM")
	}
	return p, nil
}

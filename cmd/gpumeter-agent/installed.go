package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
)

// installed names the files that the unit of an installed agent reads.
type installed struct {
	env, file string
	// makes is true for who writes env: it need not be there, though it was named.
	makes bool
}

// Files of an installed agent.
const (
	defaultEnv = "/etc/gpumeter/agent.env"
	fileName   = "agent.yaml"   // beside it, as the others
	tokenName  = "agent.token"  // the unit gives it to the agent
	caName     = "agent-ca.pem" // of the collector
)

func (s *installed) flags(fs *pflag.FlagSet) {
	fs.StringVar(&s.env, "env-file", defaultEnv, "settings of the installed agent, as variables; what the environment says goes before them")
	fs.StringVar(&s.file, "config", "", "YAML file with settings; the variables go before them (default: "+fileName+" beside them)")
}

// beside is a file in the folder of the settings.
func (s *installed) beside(name string) string { return filepath.Join(filepath.Dir(s.env), name) }

// load gives c what flags do not: what the agent reads that the unit starts. A
// file that nobody named need not be there. It returns the files that are.
func (s *installed) load(c *config, flags *pflag.FlagSet) (read []string, err error) {
	text, err := readSettings(s.env)
	if err != nil {
		return nil, err
	}
	if text != nil {
		read = append(read, s.env)
	} else if flags.Changed("env-file") && !s.makes {
		return nil, &fs.PathError{Op: "open", Path: s.env, Err: fs.ErrNotExist}
	}
	if err := fillFrom(flags, s.env, text); err != nil {
		return read, err
	}
	named := s.file != ""
	s.file = cmp.Or(s.file, s.beside(fileName))
	switch err := c.load(s.file, flags); {
	case errors.Is(err, fs.ErrNotExist) && !named:
	case err != nil:
		return read, err
	default:
		read = append(read, s.file)
	}
	token := s.beside(tokenName)
	if _, err := os.Stat(token); err == nil && c.Collector != "" {
		c.TokenFile = cmp.Or(c.TokenFile, token)
	}
	return read, c.validate()
}

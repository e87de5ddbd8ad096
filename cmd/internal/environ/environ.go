// Package environ fills flags that were not given from the environment, by one
// rule: --log-level of the prefix GPUMETER_AGENT is GPUMETER_AGENT_LOG_LEVEL.
package environ

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// notSettings are flags of every command that are no settings.
var notSettings = []string{"help", "version"}

// foreign are the variables that Kubernetes gives to containers for a service
// whose name makes the same prefix.
var foreign = regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_.*)?)$`)

// Name returns the variable of a flag.
func Name(prefix, flag string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Help says the rule, for a command's help.
func Help(prefix string) string {
	return fmt.Sprintf("A flag that is not given is taken from the environment, where --log-level is\n%s, and so on; lists have commas. Empty variables count as none.", Name(prefix, "log-level"))
}

// Fill sets the flags that were not given and have a variable in environ
// (KEY=VALUE, the last of several counts, empty ones do not). A variable with
// the prefix that is no flag's is an error: its writer means something by it.
func Fill(fs *pflag.FlagSet, prefix string, environ []string) error {
	flags := map[string]*pflag.Flag{}
	fs.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(notSettings, f.Name) {
			flags[Name(prefix, f.Name)] = f
		}
	})
	values := map[string]string{}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		rest, ours := strings.CutPrefix(name, prefix+"_")
		switch {
		case !ours || value == "":
		case flags[name] != nil:
			values[name] = value
		case !foreign.MatchString(rest):
			return fmt.Errorf("%s in the environment is no setting (--%s is not a flag)", name, strings.ToLower(strings.ReplaceAll(rest, "_", "-")))
		}
	}
	for name, value := range values {
		if f := flags[name]; !f.Changed {
			if err := fs.Set(f.Name, value); err != nil {
				return fmt.Errorf("%s in the environment: %w", name, err)
			}
		}
	}
	return nil
}

package environ_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/gpumeter/gpumeter/cmd/internal/environ"
)

// settings are flags of each kind that the commands have.
type settings struct {
	fs     *pflag.FlagSet
	level  string
	every  time.Duration
	listen []string
	host   bool
	help   bool
}

func newSettings() *settings {
	s := &settings{fs: pflag.NewFlagSet("x", pflag.ContinueOnError)}
	s.fs.StringVar(&s.level, "log-level", "info", "")
	s.fs.DurationVar(&s.every, "backup-every", time.Hour, "")
	s.fs.StringSliceVar(&s.listen, "listen", []string{"127.0.0.1:1"}, "")
	s.fs.BoolVar(&s.host, "host", true, "")
	s.fs.BoolVar(&s.help, "help", false, "")
	return s
}

func TestFillSetsWhatIsNotGiven(t *testing.T) {
	s := newSettings()
	if err := s.fs.Parse([]string{"--log-level", "warn"}); err != nil {
		t.Fatal(err)
	}
	err := environ.Fill(s.fs, "GPUMETER_X", []string{
		"GPUMETER_X_LOG_LEVEL=debug", "GPUMETER_X_BACKUP_EVERY=3h", "GPUMETER_X_BACKUP_EVERY=2h", "GPUMETER_X_LISTEN=:1,:2",
		"GPUMETER_X_HOST=", "GPUMETER_URL=https://elsewhere", "PATH=/bin", "GPUMETER_XY=1",
		"GPUMETER_X_SERVICE_HOST=10.0.0.1", "GPUMETER_X_PORT_9410_TCP_ADDR=10.0.0.1", "GPUMETER_X_PORT=tcp://10.0.0.1:9410",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.level != "warn" || s.every != 2*time.Hour || !slices.Equal(s.listen, []string{":1", ":2"}) || !s.host {
		t.Errorf("settings are %q, %s, %q and %t", s.level, s.every, s.listen, s.host)
	}
	if !s.fs.Changed("backup-every") {
		t.Error("a file would overrule the environment")
	}
}

func TestFillSaysWhichVariableIsWrong(t *testing.T) {
	f := func(variable, problem string) {
		t.Helper()
		if err := environ.Fill(newSettings().fs, "GPUMETER_X", []string{variable}); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", variable, err, problem)
		}
	}
	f("GPUMETER_X_BACKUP_EVERY=often", "GPUMETER_X_BACKUP_EVERY in the environment")
	f("GPUMETER_X_HOST=perhaps", "GPUMETER_X_HOST in the environment")
	f("GPUMETER_X_LISTN=:1", "GPUMETER_X_LISTN in the environment is no setting (--listn is not a flag)")
	f("GPUMETER_X_HELP=true", "is no setting")
}

func TestHelpNamesAVariable(t *testing.T) {
	if got := environ.Help("GPUMETER_X"); !strings.Contains(got, "GPUMETER_X_LOG_LEVEL") {
		t.Errorf("help is %q", got)
	}
}

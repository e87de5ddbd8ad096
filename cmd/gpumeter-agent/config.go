package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/gpumeter/gpumeter/agent/nvml"
)

// config is every setting of `gpumeter-agent run`. Each is a flag; a file
// fills those that are not given.
type config struct {
	State        string        `yaml:"state"`
	Lock         string        `yaml:"lock"`
	Listen       []string      `yaml:"listen"`
	WebConfig    string        `yaml:"web_config"`
	Collector    string        `yaml:"collector"`
	TokenFile    string        `yaml:"token_file"`
	CAFile       string        `yaml:"ca_file"`
	NVML         string        `yaml:"nvml"`
	Interval     time.Duration `yaml:"interval"`
	Window       time.Duration `yaml:"window"`
	SpoolMiB     int64         `yaml:"spool_mib"`
	PauseFile    string        `yaml:"pause_file"`
	Node         string        `yaml:"node"`
	LogLevel     string        `yaml:"log_level"`
	Cloud        cloudConfig   `yaml:"cloud"`
	ExpectedGPUs int           `yaml:"expected_gpus"`
	Metrics      []string      `yaml:"metrics"`
	Host         bool          `yaml:"host"`
	Kmsg         string        `yaml:"kmsg"`
	OTLP         otlpConfig    `yaml:"otlp"`
	Influx       influxConfig  `yaml:"influx"`
	DCGM         dcgmConfig    `yaml:"dcgm"`
	Holders      holdersConfig `yaml:",inline"`
}

// Defaults. The port is free of other well-known exporters.
const (
	defaultState  = "/var/lib/gpumeter"
	defaultListen = "127.0.0.1:9409"
)

func (c *config) flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.State, "state", defaultState, "folder for the spool and the control socket")
	fs.StringVar(&c.Lock, "lock", "", "file that holds the node for one agent (default below /run, else in the state folder)")
	fs.StringSliceVar(&c.Listen, "listen", []string{defaultListen}, "address for /metrics; addresses other than loopback need --web-config")
	fs.StringVar(&c.WebConfig, "web-config", "", "exporter-toolkit web configuration file: TLS and authentication for /metrics")
	fs.StringVar(&c.Collector, "collector", "", "URL of the collector; without it records stay in the spool")
	fs.StringVar(&c.TokenFile, "token-file", "", "file with the bearer token for the collector (default: the credential \"token\" of the unit, where systemd gives one)")
	fs.StringVar(&c.CAFile, "ca-file", "", "file with the certificate authority of the collector")
	fs.StringVar(&c.NVML, "nvml", "", "absolute path of libnvidia-ml.so.1 (default: where the driver puts it)")
	fs.DurationVar(&c.Interval, "interval", time.Second, "time between two looks at a GPU, 100ms to 10s")
	fs.DurationVar(&c.Window, "window", time.Minute, "length of a window, 10s to 5m, a divisor of one hour")
	fs.Int64Var(&c.SpoolMiB, "spool-mib", 256, "largest size of the spool in MiB")
	fs.StringVar(&c.PauseFile, "pause-file", "", "the agent lets go of the driver while this file exists")
	fs.StringVar(&c.Node, "node", "", "name of this node (default: $NODE_NAME, as a pod is given it, else its host name)")
	fs.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	c.Cloud.flags(fs)
	fs.IntVar(&c.ExpectedGPUs, "expected-gpus", 0, "how many GPUs this node should have; 0 is as many as its instance type has, where that is known")
	fs.StringSliceVar(&c.Metrics, "metrics", nil, "groups of metrics that are read besides the default ones: "+strings.Join(nvml.Groups(), ", ")+", or all")
	fs.BoolVar(&c.Host, "host", true, "read the node's CPU, memory, disks and network too")
	fs.StringVar(&c.Kmsg, "kmsg", kmsgAuto, "where the kernel's log is read for errors of GPUs: auto, off or a path")
	c.OTLP.flags(fs)
	c.Influx.flags(fs)
	c.DCGM.flags(fs)
	c.Holders.flags(fs)
}

// Words of --kmsg besides a path.
const (
	kmsgAuto = "auto" // /dev/kmsg, if this user may read it
	kmsgOff  = "off"
)

// load fills c from a file, except for what flags have set.
func (c *config) load(name string, fs *pflag.FlagSet) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	var given []func() error
	fs.Visit(func(f *pflag.Flag) { given = append(given, again(f)) })
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return fileError(name, err)
	}
	for _, set := range given {
		if err := set(); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// again returns what gives a flag the value once more that it has now.
func again(f *pflag.Flag) func() error {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values := slices.Clone(list.GetSlice())
		return func() error { return list.Replace(values) }
	}
	value := f.Value.String()
	return func() error { return f.Value.Set(value) }
}

var (
	lineError  = regexp.MustCompile(`^line (\d+): (.*)$`)
	unknownKey = regexp.MustCompile(`^field (\S+) not found in type .*$`)
)

// fileError says what is wrong with a file in one sentence, as FILE:LINE.
func fileError(name string, err error) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) || len(wrong.Errors) == 0 {
		return fmt.Errorf("%s: %w", name, err)
	}
	m := lineError.FindStringSubmatch(wrong.Errors[0])
	if m == nil {
		return fmt.Errorf("%s: %s", name, wrong.Errors[0])
	}
	if k := unknownKey.FindStringSubmatch(m[2]); k != nil {
		return fmt.Errorf("%s:%s: unknown key %q", name, m[1], k[1])
	}
	return fmt.Errorf("%s:%s: %s", name, m[1], m[2])
}

func (c *config) validate() error {
	switch {
	case c.Interval < 100*time.Millisecond || c.Interval > 10*time.Second:
		return usageError{fmt.Errorf("interval %s is not between 100ms and 10s", c.Interval)}
	case c.Window < 10*time.Second || c.Window > 5*time.Minute || time.Hour%c.Window != 0:
		return usageError{fmt.Errorf("window %s is not between 10s and 5m, or does not divide an hour", c.Window)}
	case c.SpoolMiB < 1:
		return usageError{fmt.Errorf("spool size of %d MiB is less than 1 MiB", c.SpoolMiB)}
	case c.State == "":
		return usageError{errors.New("state folder is empty")}
	case c.Kmsg != kmsgAuto && c.Kmsg != kmsgOff && !filepath.IsAbs(c.Kmsg):
		return usageError{fmt.Errorf("kmsg %q is not auto, off or an absolute path", c.Kmsg)}
	case c.NVML != "" && !filepath.IsAbs(c.NVML):
		return usageError{fmt.Errorf("nvml %q is not an absolute path", c.NVML)}
	}
	for _, err := range []error{nvml.CheckGroups(c.Metrics), c.Cloud.validate(), checkExpected(c.ExpectedGPUs), c.OTLP.validate(), c.Influx.validate(), c.DCGM.validate(), c.Holders.validate()} {
		if err != nil {
			return usageError{err}
		}
	}
	for _, addr := range c.Listen {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return usageError{fmt.Errorf("listen %q is not HOST:PORT", addr)}
		}
		if c.WebConfig == "" && !loopback(addr) {
			return usageError{fmt.Errorf("listen on %s: plain HTTP is for loopback only; another address needs --web-config", addr)}
		}
	}
	if c.TokenFile != "" {
		if _, err := os.Stat(c.TokenFile); err != nil {
			return fmt.Errorf("token file: %w", err)
		}
	}
	return nil
}

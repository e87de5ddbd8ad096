//go:build e2e_clickhouse

// Package clickhouse_test runs collectors against real ClickHouse servers:
// one alone, and two shards with two replicas each beside a ZooKeeper.
package clickhouse_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"
)

// address returns a free address on loopback, below the ports that the kernel
// gives to connections meanwhile.
func address(t *testing.T) string {
	t.Helper()
	for range 100 {
		at := fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", at); err == nil {
			l.Close()
			return at
		}
	}
	t.Fatal("no free port")
	return ""
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

// process is a program that is ended with the test, and may be killed and
// started again before.
type process struct {
	t    *testing.T
	name string
	args []string
	log  string // file
	cmd  *exec.Cmd
}

func (p *process) start() {
	p.t.Helper()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command(p.name, p.args...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = out, out, filepath.Dir(p.log)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process without a warning. It may be called twice.
func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
	p.cmd = nil
}

// tail returns the end of what the process wrote.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log)
	errors, _ := os.ReadFile(filepath.Join(filepath.Dir(p.log), "errors")) // of ClickHouse
	return string(text[max(0, len(text)-2000):]) + string(errors[max(0, len(errors)-4000):])
}

// run starts a program that is killed with the test.
func run(t *testing.T, log, name string, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed: make e2e-clickhouse installs it", name)
	}
	p := &process{t: t, name: path, args: args, log: log}
	p.start()
	t.Cleanup(p.kill)
	return p
}

// waitFor fails the test unless ready returns true within some time.
func waitFor(t *testing.T, what string, ready func() bool, explain func() string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ready(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute\n%s", what, explain())
		}
	}
}

func listens(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// server is one ClickHouse.
type server struct {
	*process
	native, http, interserver string
	secure                    string // native, with TLS; empty for none
	tls                       keyPair
}

// keyPair names PEM files.
type keyPair struct{ cert, key string }

// alive reports whether a server answers statements.
func (s *server) alive() bool { return listens(s.native) && listens(s.http) }

// cluster is what the servers' configuration says: shards of replicas.
type cluster struct {
	Name      string
	ZooKeeper string // port; empty for one node
	Password  string // of the user meter; empty for none
	Shards    [][]*server
}

// startServers starts a cluster of so many shards of replicas.
func startServers(t *testing.T, shards, replicas int) *cluster {
	t.Helper()
	c := &cluster{Name: "meters"}
	if shards*replicas > 1 {
		c.ZooKeeper = port(startZooKeeper(t))
	}
	for range shards {
		var list []*server
		for range replicas {
			list = append(list, &server{native: address(t), http: address(t), interserver: address(t)})
		}
		c.Shards = append(c.Shards, list)
	}
	c.start(t)
	return c
}

// start starts the servers and waits for them.
func (c *cluster) start(t *testing.T) {
	t.Helper()
	for _, s := range c.servers() {
		s.process = run(t, configure(t, c, s), "clickhouse-server", "--config-file=config.xml")
	}
	for _, s := range c.servers() {
		waitFor(t, "ClickHouse at "+s.native, s.alive, s.tail)
	}
}

func (c *cluster) servers() []*server {
	var out []*server
	for _, list := range c.Shards {
		out = append(out, list...)
	}
	return out
}

// store returns the address of a database on the cluster.
func (c *cluster) store(database string) string {
	var hosts []string
	for _, s := range c.servers() {
		hosts = append(hosts, s.native)
	}
	text := "clickhouse://" + strings.Join(hosts, ",") + "/" + database
	if c.ZooKeeper != "" {
		text += "?cluster=" + c.Name
	}
	return text
}

// configure writes a server's configuration into a folder of its own and
// returns its log.
func configure(t *testing.T, c *cluster, s *server) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config.xml": configXML, "users.xml": usersXML} {
		var out strings.Builder
		tmpl := template.Must(template.New(name).Funcs(template.FuncMap{"port": port}).Parse(text))
		err := tmpl.Execute(&out, map[string]any{"Dir": dir, "Server": s, "Native": s.native, "HTTP": s.http, "Interserver": s.interserver, "Secure": s.secure, "Cert": s.tls.cert, "Key": s.tls.key, "Password": c.Password, "Cluster": c, "Hosts": hostsOf(c)})
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(out.String()), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "out")
}

func hostsOf(c *cluster) [][]string {
	var out [][]string
	for _, list := range c.Shards {
		var ports []string
		for _, s := range list {
			ports = append(ports, port(s.native))
		}
		out = append(out, ports)
	}
	return out
}

// startZooKeeper returns its address.
func startZooKeeper(t *testing.T) string {
	t.Helper()
	dir, at := t.TempDir(), address(t)
	config := fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n", dir, port(at))
	if err := os.WriteFile(filepath.Join(dir, "zoo.cfg"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := run(t, filepath.Join(dir, "out"), "java", "-Xmx192m", "-cp", "/usr/share/java/zookeeper.jar:/usr/share/java/*",
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(dir, "zoo.cfg"))
	waitFor(t, "ZooKeeper", func() bool { return listens(at) }, p.tail)
	return at
}

const configXML = `<yandex>
  <logger><level>warning</level><log>{{.Dir}}/log</log><errorlog>{{.Dir}}/errors</errorlog></logger>
  <path>{{.Dir}}/data/</path><tmp_path>{{.Dir}}/tmp/</tmp_path>
  <users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
  <listen_host>127.0.0.1</listen_host><interserver_http_host>127.0.0.1</interserver_http_host>
  <tcp_port>{{port .Native}}</tcp_port><http_port>{{port .HTTP}}</http_port><interserver_http_port>{{port .Interserver}}</interserver_http_port>
  <mark_cache_size>67108864</mark_cache_size>
{{- if .Secure}}
  <tcp_port_secure>{{port .Secure}}</tcp_port_secure>
  <openSSL><server><certificateFile>{{.Cert}}</certificateFile><privateKeyFile>{{.Key}}</privateKeyFile><verificationMode>none</verificationMode></server></openSSL>
{{- end}}
{{- if .Cluster.ZooKeeper}}
  <zookeeper><node><host>127.0.0.1</host><port>{{.Cluster.ZooKeeper}}</port></node><session_timeout_ms>5000</session_timeout_ms></zookeeper>
  <remote_servers><{{.Cluster.Name}}>
{{- range .Hosts}}
    <shard><internal_replication>true</internal_replication>
{{- range .}}<replica><host>127.0.0.1</host><port>{{.}}</port></replica>{{end}}</shard>
{{- end}}
  </{{.Cluster.Name}}></remote_servers>
{{- end}}
</yandex>
`

const usersXML = `<yandex>
  <profiles><default><max_memory_usage>2000000000</max_memory_usage></default></profiles>
  <users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
    <meter><password>{{.Password}}</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></meter></users>
  <quotas><default></default></quotas>
</yandex>
`

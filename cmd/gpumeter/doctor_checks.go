package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/contract"
)

// siteFacts is everything that the checks of a fleet rest on.
type siteFacts struct {
	answer doctor.Answer
	clock  doctor.Clock

	file      string // of contracts; empty for none
	contracts []contract.Contract
	wrong     error // of the file

	data *disk // nil for none
	node *doctor.Report
	// silent is why the agent did not look at this node, though it is there.
	silent  error
	cluster cluster
}

// disk is the disk of a data folder.
type disk struct {
	path       string
	err        error
	used       uint64 // by the folder
	free, size uint64
}

// siteChecks is the table of what a fleet needs to be metered.
var siteChecks = []doctor.Check[siteFacts]{
	{Name: "collector", Looks: "whether it answers at its address", Find: func(s *siteFacts) []doctor.Finding { return one(s.answer.Find()) }},
	{Name: "certificate", Looks: "how long its certificate is good for", Find: func(s *siteFacts) []doctor.Finding { return one(s.answer.FindCertificate()) }},
	{Name: "token", Looks: "whether it takes the token, to show its metrics", Find: func(s *siteFacts) []doctor.Finding { return one(s.answer.FindToken()) }},
	{Name: "clock", Looks: "this clock against the collector's", Find: func(s *siteFacts) []doctor.Finding { return one(s.clock.Find(&s.answer)) }},
	{Name: "contracts", Looks: "the file of --contracts, and whether the collector has its file in force", Find: checkContracts},
	{Name: "store", Looks: "the room on the disk of --data, and whether commits go through", Find: checkStore},
	{Name: "nodes", Looks: "how many nodes report to the collector, and how many are silent", Find: checkNodes},
	{Name: "node", Looks: "this node, by gpumeter-agent doctor", Find: checkNode},
	{Name: "kubernetes", Looks: "the agents' DaemonSet, and its runtime class", Find: checkAgents},
	{Name: "prometheus", Looks: "whether a Prometheus of the operator selects monitors and rules", Find: checkMonitors},
}

func one(f doctor.Finding) []doctor.Finding { return []doctor.Finding{f} }

// look gathers the facts.
func (a *doctorArgs) look(ctx context.Context) (siteFacts, error) {
	s := siteFacts{file: a.contracts, clock: doctor.ReadClock()}
	if a.contracts != "" {
		s.contracts, s.wrong = contractfile.Load(a.contracts)
	}
	if a.data != "" {
		s.data = lookAtDisk(a.data)
	}
	s.answer = doctor.Ask(ctx, a.collector)
	s.node, s.silent = askAgent(ctx, a.agent)
	var err error
	s.cluster, err = a.cluster.look(ctx)
	return s, err
}

func lookAtDisk(path string) *disk {
	d := &disk{path: path}
	var s unix.Statfs_t
	if d.err = unix.Statfs(path, &s); d.err != nil {
		return d
	}
	d.free, d.size = s.Bavail*uint64(s.Bsize), s.Blocks*uint64(s.Bsize) //nolint:gosec // a block's size is positive
	d.err = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the collector has removed it meanwhile
		}
		if err == nil && i.Mode().IsRegular() {
			d.used += uint64(i.Size()) //nolint:gosec // a file's size
		}
		return err
	})
	return d
}

// series is one line of a page of metrics.
var series = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{([^}]*)\})? (\S+)$`)

// sum adds up the lines of a metric that have a label, any where it is empty. ok
// is false if there is none.
func sum(page, name, label string) (total float64, ok bool) {
	for _, m := range series.FindAllStringSubmatch(page, -1) {
		if m[1] != name || !strings.Contains(m[2], label) {
			continue
		}
		if v, err := strconv.ParseFloat(m[3], 64); err == nil {
			total, ok = total+v, true
		}
	}
	return total, ok
}

const makeContracts = "Write a contract file (gpumeter contract init makes a commented one), and start the collector with --contracts."

// checkContracts looks at the file that was named, and at what the collector says
// of its own.
func checkContracts(s *siteFacts) []doctor.Finding {
	var out []doctor.Finding
	switch {
	case s.file == "":
	case s.wrong != nil:
		out = append(out, doctor.Bad("The contract file is wrong: "+s.wrong.Error()+".", "Correct it; gpumeter contract validate "+s.file+" says whether it is right."))
	case len(s.contracts) == 0:
		out = append(out, doctor.Warn(s.file+" holds no contract.", makeContracts))
	default:
		out = append(out, doctor.Ok(fmt.Sprintf("%s holds %s.", s.file, counted(len(s.contracts), "contract"))))
	}
	inForce, known := sum(s.answer.Page, "gpumeter_collector_contracts", "")
	good, said := sum(s.answer.Page, "gpumeter_collector_contract_file_ok", "")
	switch {
	case said && good == 0:
		out = append(out, doctor.Bad("The collector's contract file is wrong: contracts from before are in force.", "Correct it; the collector's log and gpumeter contract validate name the line."))
	case known && inForce == 0:
		out = append(out, doctor.Warn("The collector has no contracts: all that is metered is uncontracted.", makeContracts))
	case known:
		out = append(out, doctor.Ok(fmt.Sprintf("The collector has %s in force.", counted(int(inForce), "contract"))))
	}
	if len(out) == 0 {
		return one(doctor.Leave("No contract file is named, and no collector says what it has."))
	}
	return out
}

const (
	gib = 1 << 30
	// diskLeast is what a store needs to go on at all, diskLess what it should have.
	diskLeast = 1 * gib
	diskLess  = 5 * gib
)

const makeRoom = "Make room, or move the data folder to a larger disk: a collector whose disk is full acknowledges nothing, and agents keep what they metered for as long as their spools last."

func checkStore(s *siteFacts) []doctor.Finding {
	var out []doctor.Finding
	if d := s.data; d != nil {
		out = append(out, d.find())
	}
	if refused, ok := sum(s.answer.Page, "gpumeter_collector_commit_errors_total", ""); ok && refused > 0 {
		out = append(out, doctor.Warn(fmt.Sprintf("The store has refused %s since the collector's start.", counted(int(refused), "commit")), "Look into the collector's log; nothing is lost that agents still keep."))
	} else if ok {
		out = append(out, doctor.Ok("The store has taken every commit since the collector's start."))
	}
	if aside, _ := sum(s.answer.Page, "gpumeter_collector_quarantined_batches_total", ""); aside > 0 {
		out = append(out, doctor.Warn(fmt.Sprintf("%.0f batches were kept aside, because they cannot be counted.", aside), "Look into the collector's log for the agents that sent them; two nodes with the same spool are the usual cause."))
	}
	if len(out) == 0 {
		return one(doctor.Leave("No data folder is named, and no collector says how its store does."))
	}
	return out
}

func (d *disk) find() doctor.Finding {
	text := fmt.Sprintf("%.1f of %.1f GiB are free on the disk of %s, which takes %.1f GiB.", float64(d.free)/gib, float64(d.size)/gib, d.path, float64(d.used)/gib)
	switch {
	case errors.Is(d.err, fs.ErrNotExist):
		return doctor.Bad("There is no folder "+d.path+".", "Name the collector's data folder, or make it.")
	case d.err != nil:
		return doctor.Unsure("The data folder could not be looked at: "+d.err.Error()+".", "Look as the collector's user, or as root.")
	case d.free < diskLeast:
		return doctor.Bad(text, makeRoom)
	case d.free < diskLess || d.free < d.size/20 || d.free < d.used/4:
		return doctor.Warn(text, makeRoom)
	}
	return doctor.Ok(text)
}

func checkNodes(s *siteFacts) []doctor.Finding {
	reporting, _ := sum(s.answer.Page, "gpumeter_fleet_nodes", `state="reporting"`)
	silent, _ := sum(s.answer.Page, "gpumeter_fleet_nodes", `state="silent"`)
	missing, _ := sum(s.answer.Page, "gpumeter_fleet_gpus", `state="missing"`)
	switch {
	case s.answer.Page == "":
		return one(doctor.Leave("No collector says which nodes report."))
	case reporting+silent == 0:
		return one(doctor.Warn("No node reports to the collector.", "On each node: "+join(s.answer.Target.URL)+", or the Helm chart; then wait two minutes."))
	}
	verb := "report"
	if reporting == 1 {
		verb = "reports"
	}
	text := fmt.Sprintf("%.0f of %s %s.", reporting, counted(int(reporting+silent), "node"), verb)
	out := one(doctor.Ok(text))
	if silent > 0 {
		out = one(doctor.Warn(text+" The others are silent, and their GPUs unobserved.", "On a silent node, ask gpumeter-agent doctor."))
	}
	if missing > 0 {
		out = append(out, doctor.Warn(fmt.Sprintf("GPUs that are missing from nodes that report: %.0f. They count as unhealthy.", missing), "On such a node, ask gpumeter-agent scan."))
	}
	return out
}

// join is the command by which a node joins a collector: one on loopback asks for
// no token, and is for this machine alone.
func join(url string) string {
	if strings.HasPrefix(url, "http://") {
		return "sudo gpumeter-agent up --join " + url
	}
	return "sudo gpumeter-agent up --join " + url + " --token-file FILE"
}

// checkNode is what the agent found on this node. What is about the collector
// stands above already, unless the agent has another.
func checkNode(s *siteFacts) []doctor.Finding {
	switch {
	case s.silent != nil:
		return one(doctor.Unsure("This node was not looked at: "+s.silent.Error()+".", "Call gpumeter-agent doctor by hand; both programs should be of one version."))
	case s.node == nil:
		return one(doctor.Leave("No NVIDIA GPU is on this machine's bus, or no gpumeter-agent is here to look at it."))
	}
	out := make([]doctor.Finding, len(s.node.Findings))
	for i, f := range s.node.Findings {
		f.Check = "node: " + f.Check
		out[i] = f
	}
	return out
}

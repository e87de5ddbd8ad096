// Package dashboards has the Grafana dashboards, the recording rules, the
// alerts and their runbooks, as rows of tables, and writes them as files.
//
// They are built on the metrics that agents and collectors export, and on
// nothing else: a test holds every name in them against the lists of metrics.
// The files beside this package are written by `make dashboards`, and a test
// holds them current.
package dashboards

//go:generate go test -run TestFiles -update .

// Board is one dashboard.
type Board struct {
	UID, Title, About string
	// From is where the time range begins: "now-30d".
	From string
	// UTC shows times as bills do; otherwise they are the browser's.
	UTC       bool
	Variables []Variable
	// Notes are the annotations.
	Notes []Note
	Rows  []Row
}

// Boards lists all dashboards.
func Boards() []Board {
	return []Board{contractsBoard(), contractBoard(), healthBoard(), wasteBoard(), nodeBoard(), dcgmBoard()}
}

// Variable is something that is chosen at the head of a dashboard.
type Variable struct {
	Name, Label string
	// Of is the series, and Key their label, that it takes its values from.
	Of, Key string
	// One allows only one value; otherwise there may be several, or all.
	One bool
}

// Note marks moments in all panels.
type Note struct {
	Name, Color string
	// Expr has the moment as its value, in milliseconds since 1970.
	Expr string
	// Text is a template over labels.
	Text string
	On   bool // shown unless switched off
}

// Row is a headed group of panels, placed from left to right.
type Row struct {
	Title  string
	Panels []Panel
}

// Kind is a kind of panel that comes with Grafana.
type Kind string

// The kinds that are used.
const (
	Stat     Kind = "stat"
	Series   Kind = "timeseries"
	Table    Kind = "table"
	Bars     Kind = "bargauge"
	Timeline Kind = "state-timeline"
	Alarms   Kind = "alertlist"
	Text     Kind = "text"
)

// Panel is one panel.
type Panel struct {
	Kind  Kind
	Title string
	// About is the definition of what is shown.
	About string
	// Unit is Grafana's word for it: "percentunit", "bytes", "h". Empty for
	// those that have none (Text, Alarms).
	Unit    string
	W, H    int // of a grid that is 24 wide; zero is 6 and 8, for Stat 4 and 4
	Queries []Query
	// Steps colour values from a bound on; the first one has none.
	Steps []Step
	// Words stand for values.
	Words []Word
	// Stack piles the series up.
	Stack bool
	// Columns are those of a Table, in their order.
	Columns []Column
	// Link is the address that a click on a value leads to.
	Link string
	// Absent is what stands there without any data; empty is "no data".
	Absent string
	// Empty says why a healthy fleet has no data for it; the test of all
	// queries wants data where it says nothing.
	Empty string
	// Body is the text of a Text panel, and the filter of an Alarms panel.
	Body string
	// Interval is the least time between points; empty is Grafana's choice.
	Interval string
}

// Query is one question to Prometheus.
type Query struct {
	Expr, Legend string
	// Empty is as Panel.Empty, for one query of several.
	Empty string
}

// Step is a colour from a value on.
type Step struct {
	From  float64
	Color string
}

// Word is what stands for a value.
type Word struct {
	Value       float64
	Text, Color string
}

// Column is a column of a table: a label, or the value of a query by its
// letter, "Value #A".
type Column struct {
	Field, Title, Unit string
	Bar                bool // a share, drawn as a bar
	Link               string
}

// promises colours a share that should be close to one.
var promises = []Step{{0, "red"}, {0.95, "orange"}, {0.99, "green"}}

// uses colours a share that is better the higher it is, and never an alarm.
var uses = []Step{{0, "red"}, {0.3, "orange"}, {0.6, "green"}}

// faults colours a number that should be zero.
var faults = []Step{{0, "green"}, {1, "red"}}

// notices colours a number that should be zero, and is no emergency.
var notices = []Step{{0, "green"}, {1, "orange"}}

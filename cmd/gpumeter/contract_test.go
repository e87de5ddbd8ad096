package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gpumeter runs a command line and returns what it wrote.
func gpumeter(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

const (
	examples  = "../../examples/"
	termsFile = "../../collector/contractfile/testdata/terms.yaml"
)

func TestContractInitWritesAFileThatValidates(t *testing.T) {
	name := filepath.Join(t.TempDir(), "contracts.yaml")
	out, err := gpumeter(t, "contract", "init", name)
	if err != nil || !strings.Contains(out, "gpumeter contract validate "+name) {
		t.Fatalf("init = %q, %v", out, err)
	}
	if out, err = gpumeter(t, "contract", "validate", name); err != nil || !strings.HasPrefix(out, "ok: 1 contract\n") {
		t.Errorf("validate = %q, %v", out, err)
	}
}

// A contract of spend commitments alone is listed too.
func TestValidateListsCommitments(t *testing.T) {
	name := filepath.Join(t.TempDir(), "contracts.yaml")
	text := `contracts:
  - id: edp
    provider: aws
    currency: USD
    billing_timezone: UTC
    commitments: [{id: pool, start: 2026-10-01, end: 2027-10-01, total: "100"}]
`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := gpumeter(t, "contract", "validate", name)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil || len(lines) != 3 || !strings.HasPrefix(lines[2], "edp       pool  spend  2026-10-01") || !strings.HasSuffix(lines[2], "100.00 USD") {
		t.Errorf("validate = %q, %v", out, err)
	}
}

func TestContractInitNeverOverwrites(t *testing.T) {
	name := filepath.Join(t.TempDir(), "contracts.yaml")
	if err := os.WriteFile(name, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := gpumeter(t, "contract", "init", name)
	if err == nil || err.Error() != name+" is there already, and is left as it is: name another file" || exitCode(err) != 1 {
		t.Errorf("init = %v", err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if _, err := gpumeter(t, "contract", "init", filepath.Join(name, "below")); err == nil {
		t.Error("init writes below a file")
	}
}

func TestContractListAndShow(t *testing.T) {
	f := func(file string, args ...string) {
		t.Helper()
		out, err := gpumeter(t, append([]string{"contract"}, args...)...)
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
		golden(t, file, []byte(out))
	}
	f("contract-list.txt", "list", examples+"large.yaml")
	f("contract-list.csv", "list", examples+"large.yaml", "-o", "csv")
	f("contract-list.json", "list", examples+"large.yaml", "-o", "json")
	f("contract-show.txt", "show", "all", "--contracts", termsFile)
	f("contract-show.csv", "show", "all", "--contracts", termsFile, "-o", "csv")
	f("contract-show.json", "show", "all", "--contracts", termsFile, "-o", "json")
}

// TestContractShowSaysEveryKey holds that what a file can say is shown.
func TestContractShowSaysEveryKey(t *testing.T) {
	out, err := gpumeter(t, "contract", "show", "all", "--contracts", termsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{
		"Everything", "oracle", "EUR", "UTC", "5 d", "GB300 at 125 %", "rack of 72", "14 d", "cr", "us-, eu-", "or x_Cluster Exists *", "x_NodePool In 12",
		"list price 9.000000", "overage 0.000000", "Credits", "123", "forfeit", "300.000000", "150.000000 EUR from 2027-10-01", "1.500000", "75 % of the cost", "0 % of the usage",
		"12.345678 EUR, hourly", "99.95 %", "quarter", "100 % below 95 %", "50 % of", "customer", "can be reached", "within 10 days of the end of the incident", "server logs",
	} {
		if !strings.Contains(out, value) {
			t.Errorf("show does not say %q", value)
		}
	}
}

func TestContractListIsExactForMachines(t *testing.T) {
	text, err := gpumeter(t, "contract", "list", examples+"large.yaml", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		ID    string
		Value json.Number
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	table, err := gpumeter(t, "contract", "list", examples+"large.yaml", "-o", "csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil || len(rows) != len(list)+1 {
		t.Fatalf("%d rows of %d, %v", len(rows), len(list), err)
	}
	want := map[string]string{"seven-years": "38000000000.000000", "ten-years": "250000000000.000000",
		"gb200": "30436430400.000000", "million": "213464514153.793536"} // calculated apart, in fractions
	for i, x := range list {
		if rows[i+1][11] != string(x.Value) || (want[x.ID] != "" && want[x.ID] != string(x.Value)) {
			t.Errorf("%s: %s in the CSV, %s in the JSON, want %s", x.ID, rows[i+1][11], x.Value, want[x.ID])
		}
	}
}

func TestContractCommandsSayWhatIsWrong(t *testing.T) {
	f := func(code int, want string, args ...string) {
		t.Helper()
		_, err := gpumeter(t, append([]string{"contract"}, args...)...)
		if err == nil || err.Error() != want || exitCode(err) != code {
			t.Errorf("%v = %v, code %d; want %s, code %d", args, err, exitCode(err), want, code)
		}
	}
	f(2, `../../examples/aws.yaml has no contract "aws-spent"; did you mean "aws-spend"?`, "show", "aws-spent", "--contracts", examples+"aws.yaml")
	f(2, "gpumeter contract show wants one argument: CONTRACT", "show")
	f(2, "gpumeter contract validate wants one argument: FILE", "validate")
	f(2, "gpumeter contract init takes one argument at most: FILE", "init", "a", "b")
	f(2, "gpumeter contract list takes one argument at most: FILE", "list", "a", "b")
	f(2, `output "xml" is not text, json or csv`, "list", "-o", "xml")
	f(1, "open contract file: open nowhere.yaml: no such file or directory", "list", "nowhere.yaml")
	bad := "../../collector/contractfile/testdata/bad/wrong-currency.yaml"
	f(1, bad+`:5: contract "c": currency "usd" is not three capital letters`, "validate", bad)
}

func TestContractCommandsHaveHelpAndExamples(t *testing.T) {
	for _, c := range newContract().Commands() {
		if c.Short == "" || c.Example == "" {
			t.Errorf("contract %s has no help or no example", c.Name())
		}
	}
}

// TestExamplesValidate reads every file of examples/.
func TestExamplesValidate(t *testing.T) {
	files, err := filepath.Glob(examples + "*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("found %d examples, %v", len(files), err)
	}
	for _, name := range files {
		if out, err := gpumeter(t, "contract", "validate", name); err != nil || !strings.HasPrefix(out, "ok: ") {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	if _, err := os.Stat("contracts.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the tests leave a file behind: %v", err)
	}
}

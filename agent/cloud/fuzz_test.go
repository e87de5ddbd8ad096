package cloud_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"unicode"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/sim/metadata"
	"github.com/gpumeter/gpumeter/usage"
)

// checkFit holds that an identity can travel, whoever made it up.
func checkFit(t *testing.T, found cloud.Found) {
	t.Helper()
	if err := (usage.Node{Name: "n", Cloud: found.Cloud}).Check(); err != nil {
		t.Error(err)
	}
	b, err := json.Marshal(found.Cloud)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]string
	if err := json.Unmarshal(b, &values); err != nil {
		t.Fatal(err)
	}
	for field, v := range values {
		for _, r := range v {
			if r > unicode.MaxASCII || !unicode.IsPrint(r) {
				t.Errorf("%s %q is not printable", field, v)
			}
		}
		if found.From[field] == "" {
			t.Errorf("nobody said %s %q", field, v)
		}
	}
}

// FuzzService has a metadata service of every cloud that answers everything
// with the same bytes.
func FuzzService(f *testing.F) {
	for _, s := range []string{
		`{"accountId":"1","instanceId":"i-1","region":"r"}`, `{"vmId":"x","tagsList":[{"name":"aks-managed-poolName","value":"p"}]}`,
		`{"id":"ocid1","availabilityDomain":":","rdmaTopologyData":{"customerLocalBlock":"b"}}`, "projects/1/zones/a-b", "/a/b/c", "a.b.c", "", "<",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var n metadata.Network
		defer n.Close()
		n.Serve(linkLocal, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			w.Header().Set("X-aws-ec2-metadata-token-ttl-seconds", "300")
			_, _ = w.Write(body)
		}))
		for _, r := range rents {
			cfg := config(t.TempDir(), &n)
			cfg.Given.Provider = r.provider
			checkFit(t, cloud.New(cfg).Look(t.Context()))
		}
	})
}

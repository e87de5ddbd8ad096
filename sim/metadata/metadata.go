// Package metadata is the metadata services of clouds out of nothing: what an
// instance is told about itself, over HTTP, and everything that can be wrong
// with it.
//
// The services follow the public documentation of their clouds:
//
//   - AWS: EC2 User Guide, "Use the Instance Metadata Service", "Instance
//     metadata categories", "Instance identity documents"
//   - Azure: "Azure Instance Metadata Service" (instance/compute and
//     attested/document)
//   - Google: Compute Engine, "About VM metadata", "Predefined metadata keys",
//     "Verify VM identity"
//   - Oracle: "Getting Instance Metadata" and OKE's guide to RDMA topology
//     (host/rdmaTopologyData)
//   - Nebius: "Instance metadata" (instance-data)
//
// They are as strict as the real ones about the headers of a request, and they
// refuse one that was forwarded.
package metadata

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Instance is what a service tells about. Empty fields are what the instance
// has not.
type Instance struct {
	Account, Region, Zone, Type, ID string
	Cluster, NodePool, Rack         string
	// ScaleSet and ResourceGroup are Azure's, Compartment is Oracle's.
	ScaleSet, ResourceGroup, Compartment string
	// Signed makes the signed statement of the identity available.
	Signed bool
}

// forwarded are the headers of a request that came through a proxy. All of
// these clouds refuse it, so that a proxy in the instance opens no way in.
var forwarded = []string{"X-Forwarded-For", "X-Forwarded-Host", "Forwarded"}

// strict refuses what was forwarded, and anything but GET.
func strict(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for _, h := range forwarded {
			if req.Header.Get(h) != "" {
				http.Error(w, "forwarded", http.StatusForbidden)
				return
			}
		}
		if req.Method != http.MethodGet {
			http.Error(w, "method", http.StatusMethodNotAllowed)
			return
		}
		next(w, req)
	})
}

// paths answers with the text of a path, and with 404 where there is none.
func paths(texts map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		text, ok := texts[strings.TrimSuffix(req.URL.Path, "/")]
		if !ok || text == "" {
			w.Header().Set("Content-Type", "text/html")
			http.Error(w, "<html><body>404 - Not Found</body></html>", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		if strings.HasPrefix(text, "{") {
			w.Header().Set("Content-Type", "application/json")
		}
		_, _ = w.Write([]byte(text))
	}
}

// encode returns v as JSON; what is empty is left out.
func encode(v map[string]any) string {
	for key, x := range v {
		if x == "" {
			delete(v, key)
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

package metadata

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// awsToken is the only session token that the service knows.
const awsToken = "AQAEAexampletoken=="

// AWS returns the service of an EC2 instance that requires version 2.
func AWS(i Instance) http.Handler {
	texts := map[string]string{
		"/latest/dynamic/instance-identity/document": encode(map[string]any{
			"accountId": i.Account, "architecture": "x86_64", "availabilityZone": i.Zone, "imageId": "ami-0123456789abcdef0",
			"instanceId": i.ID, "instanceType": i.Type, "pendingTime": "2026-11-01T00:00:00Z", "privateIp": "10.0.0.8",
			"region": i.Region, "version": "2017-09-30",
		}),
		// The launch request's, and no capacity reservation's.
		"/latest/meta-data/reservation-id":                   "r-0123456789abcdef0",
		"/latest/meta-data/tags/instance/eks:cluster-name":   i.Cluster,
		"/latest/meta-data/tags/instance/eks:nodegroup-name": i.NodePool,
	}
	if i.Signed {
		texts["/latest/dynamic/instance-identity/rsa2048"] = "MIAGCSqGSIb3DQEHAqCAMIACAQExDzANBglghkgBZQMEAgEFADCA"
	}
	values := strict(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("X-aws-ec2-metadata-token") != awsToken {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		paths(texts)(w, req)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/latest/api/token" {
			values.ServeHTTP(w, req)
			return
		}
		const ttl = "X-aws-ec2-metadata-token-ttl-seconds"
		n, err := strconv.Atoi(req.Header.Get(ttl))
		switch {
		case req.Header.Get("X-Forwarded-For") != "":
			http.Error(w, "Forbidden", http.StatusForbidden)
		case req.Method != http.MethodPut:
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		case err != nil || n < 1 || n > 21600:
			http.Error(w, "Bad Request", http.StatusBadRequest)
		default:
			w.Header().Set(ttl, strconv.Itoa(n))
			_, _ = w.Write([]byte(awsToken))
		}
	})
}

// Azure returns the service of a virtual machine.
func Azure(i Instance) http.Handler {
	tags := []map[string]string{{"name": "owner", "value": "ml <platform>"}}
	if i.NodePool != "" {
		tags = append(tags, map[string]string{"name": "aks-managed-poolName", "value": i.NodePool})
	}
	texts := map[string]string{
		"/metadata/instance/compute": encode(map[string]any{
			"azEnvironment": "AzurePublicCloud", "location": i.Region, "name": "gpu-0", "osType": "Linux",
			"resourceGroupName": i.ResourceGroup, "subscriptionId": i.Account, "tagsList": tags, "vmId": i.ID,
			"vmScaleSetName": i.ScaleSet, "vmSize": i.Type, "zone": i.Zone,
		}),
	}
	if i.Signed {
		texts["/metadata/attested/document"] = `{"encoding":"pkcs7","signature":"MIIEEgYJKoZIhvcNAQcCoIIEAzCCA/8CAQ=="}`
	}
	return strict(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Metadata") != "true" || req.URL.Query().Get("api-version") == "" {
			http.Error(w, `{"error":"Bad request: a required header or parameter is missing"}`, http.StatusBadRequest)
			return
		}
		paths(texts)(w, req)
	})
}

// Google returns the service of a Compute Engine instance.
func Google(i Instance) http.Handler {
	const root = "/computeMetadata/v1/"
	texts := map[string]string{
		root + "project/project-id":         i.Account,
		root + "project/numeric-project-id": "123456789012",
		root + "instance/id":                i.ID,
		root + "instance/zone":              "projects/123456789012/zones/" + i.Zone,
	}
	for key, value := range map[string]string{
		"machine-type":             prefixed("projects/123456789012/machineTypes/", i.Type),
		"attributes/cluster-name":  i.Cluster,
		"attributes/physical_host": prefixed("/", i.Rack),
	} {
		texts[root+"instance/"+key] = value
	}
	if i.Signed {
		texts[root+"instance/service-accounts/default/identity"] = GoogleToken(i.ID, i.Account)
	}
	return strict(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Metadata-Flavor") != "Google" {
			http.Error(w, "Missing required header", http.StatusForbidden)
			return
		}
		w.Header().Set("Metadata-Flavor", "Google")
		w.Header().Set("Server", "Metadata Server for VM")
		paths(texts)(w, req)
	})
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// GoogleToken returns an identity token of an instance. Its signature is
// nobody's.
func GoogleToken(instance, project string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return strings.Join([]string{
		part(`{"alg":"RS256","typ":"JWT"}`),
		part(fmt.Sprintf(`{"aud":"gpumeter","google":{"compute_engine":{"instance_id":%q,"project_id":%q}}}`, instance, project)),
		part("signature"),
	}, ".")
}

// Oracle returns the service of a compute instance that requires version 2.
func Oracle(i Instance) http.Handler {
	texts := map[string]string{
		"/opc/v2/instance": encode(map[string]any{
			"availabilityDomain": prefixed("qIZq:", i.Zone), "canonicalRegionName": i.Region, "compartmentId": i.Compartment,
			"displayName": "gpu-0", "faultDomain": "FAULT-DOMAIN-2", "id": i.ID, "region": "iad", "shape": i.Type,
			"state": "Running", "tenantId": i.Account, "metadata": map[string]string{"user_data": "IyEvYmluL3NoCg=="},
		}),
	}
	if i.Rack != "" {
		texts["/opc/v2/host"] = encode(map[string]any{"rdmaTopologyData": map[string]string{
			"customerGpuMemoryFabric": i.Rack, "customerHPCIslandId": i.Cluster, "customerLocalBlock": "ocid1.computelocalblock.oc1.iad.example",
		}})
	}
	return strict(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer Oracle" {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		paths(texts)(w, req)
	})
}

// Nebius returns the service of a virtual machine, whose type is platform and
// preset with a low line between.
func Nebius(i Instance) http.Handler {
	platform, preset, _ := strings.Cut(i.Type, "_")
	texts := map[string]string{
		"/v1/instance-data": encode(map[string]any{
			"gpu_cluster_id": i.Cluster, "id": i.ID, "parent_id": i.Account, "platform": platform, "preset": preset,
		}),
		"/v1/instance-data/region": i.Region,
	}
	return strict(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Metadata") != "true" {
			http.Error(w, "Bad Request", http.StatusBadRequest)
			return
		}
		paths(texts)(w, req)
	})
}

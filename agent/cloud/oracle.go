package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gpumeter/gpumeter/usage"
)

// oracleInstance is what is read of /opc/v2/instance/.
type oracleInstance struct {
	ID                  string `json:"id"`
	TenantID            string `json:"tenantId"`
	CompartmentID       string `json:"compartmentId"`
	Shape               string `json:"shape"`
	Region              string `json:"region"` // short in the oldest regions: phx
	CanonicalRegionName string `json:"canonicalRegionName"`
	AvailabilityDomain  string `json:"availabilityDomain"` // qIZq:PHX-AD-1; the prefix is the tenancy's
}

// oracleHost is what is read of /opc/v2/host/, which bare-metal GPU shapes have.
type oracleHost struct {
	RackID string `json:"rackId"`
	RDMA   struct {
		GPUMemoryFabric string `json:"customerGpuMemoryFabric"`
		LocalBlock      string `json:"customerLocalBlock"`
		HPCIsland       string `json:"customerHPCIslandId"`
	} `json:"rdmaTopologyData"`
}

// askOracle speaks version 2 only.
func askOracle(ctx context.Context, c *http.Client) (reply, error) {
	var r reply
	var v oracleInstance
	if err := oracleJSON(ctx, c, "/opc/v2/instance/", &v); err != nil {
		return r, err
	}
	_, domain, found := strings.Cut(v.AvailabilityDomain, ":")
	if !found {
		domain = v.AvailabilityDomain
	}
	r.Cloud = usage.Cloud{
		Account: v.TenantID, Region: cmp.Or(v.CanonicalRegionName, v.Region), Zone: domain,
		InstanceType: v.Shape, InstanceID: v.ID,
	}
	r.Otherwise.Account = v.CompartmentID
	var h oracleHost
	err := optional(oracleJSON(ctx, c, "/opc/v2/host/", &h))
	// The fabric is an NVLink domain of several trays, the local block what
	// hangs on one group of switches.
	r.Rack = cmp.Or(h.RDMA.GPUMemoryFabric, h.RackID, h.RDMA.LocalBlock)
	r.Otherwise.Cluster = h.RDMA.HPCIsland
	return r, err
}

func oracleJSON(ctx context.Context, c *http.Client, path string, v any) error {
	body, err := get(ctx, c, base+path, "Authorization", "Bearer Oracle")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("decode %s: %w", path, err)
	}
	return nil
}

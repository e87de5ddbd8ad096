package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gpumeter/gpumeter/usage"
)

// askNebius asks for the instance's data and its region. The instance type is
// platform and preset: gpu-h100-sxm_8gpu-128vcpu-1600gb.
func askNebius(ctx context.Context, c *http.Client) (reply, error) {
	var r reply
	const path = "/v1/instance-data"
	body, err := get(ctx, c, base+path, "Metadata", "true")
	if err != nil {
		return r, err
	}
	var v struct {
		ID           string `json:"id"`
		ParentID     string `json:"parent_id"` // the project
		Platform     string `json:"platform"`
		Preset       string `json:"preset"`
		GPUClusterID string `json:"gpu_cluster_id"` // one InfiniBand fabric
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return r, fmt.Errorf("decode %s: %w", path, err)
	}
	r.Cloud = usage.Cloud{Account: v.ParentID, InstanceID: v.ID}
	if v.Platform != "" && v.Preset != "" {
		r.InstanceType = v.Platform + "_" + v.Preset
	}
	r.Otherwise.Cluster = v.GPUClusterID
	region, err := get(ctx, c, base+path+"/region", "Metadata", "true")
	r.Region = string(region)
	return r, optional(err)
}

// Package v2 registers the objects of the plugin's YAML and Helm chart components.
package v2

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// RegisterResource registers one object under the token that the SDK's own classes have: Deployment of apps/v1 is
// kubernetes:apps/v1:Deployment, Service of v1 is kubernetes:core/v1:Service.
func RegisterResource(
	ctx *pulumi.Context, apiVersion, kind, name string, args pulumi.Input, opts ...pulumi.ResourceOption,
) (pulumi.CustomResource, error) {
	if !strings.Contains(apiVersion, "/") {
		apiVersion = "core/" + apiVersion
	}
	resource := &pulumi.CustomResourceState{}
	err := ctx.RegisterResource("kubernetes:"+apiVersion+":"+kind, name, args, resource, opts...)
	return resource, err
}

// Package v4 has the inputs of the plugin's Chart component.
package v4

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// RepositoryOpts say how a chart repository is reached.
type RepositoryOpts struct {
	CaFile   pulumi.AssetOrArchive `pulumi:"caFile"`
	CertFile pulumi.AssetOrArchive `pulumi:"certFile"`
	KeyFile  pulumi.AssetOrArchive `pulumi:"keyFile"`
	Password *string               `pulumi:"password"`
	Repo     *string               `pulumi:"repo"`
	Username *string               `pulumi:"username"`
}

// RepositoryOptsInput accepts RepositoryOpts that may not be known yet.
type RepositoryOptsInput interface {
	pulumi.Input
}

// PostRenderer is a command through which rendered manifests pass.
type PostRenderer struct {
	Args    []string `pulumi:"args"`
	Command string   `pulumi:"command"`
}

// PostRendererInput accepts a PostRenderer that may not be known yet.
type PostRendererInput interface {
	pulumi.Input
}

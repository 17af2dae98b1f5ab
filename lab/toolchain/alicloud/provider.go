package main

import (
	"github.com/aliyun/terraform-provider-alicloud/alicloud"
	"github.com/hashicorp/terraform-plugin-sdk/helper/schema"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shimv1 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v1"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// autonameMaxLength and autonameSeparator are the published plugin's.
const (
	autonameMaxLength = 255
	autonameSeparator = "-"
)

// providerInfo describes the provider to the bridge, with the published plugin's tokens, names and defaults.
func providerInfo() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:           shimv1.NewProvider(alicloud.Provider().(*schema.Provider)),
		Name:        "alicloud",
		Version:     version,
		Config:      configDefaults(),
		Resources:   map[string]*tfbridge.ResourceInfo{},
		DataSources: map[string]*tfbridge.DataSourceInfo{},
	}
	resourceFields, functionFields := resourceOverrides(), functionOverrides()
	for tfName, token := range resourceTokens() {
		info.Resources[tfName] = &tfbridge.ResourceInfo{Tok: tokens.Type(token), Fields: resourceFields[tfName]}
	}
	for tfName, token := range functionTokens() {
		info.DataSources[tfName] = &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember(token), Fields: functionFields[tfName]}
	}
	info.SetAutonaming(autonameMaxLength, autonameSeparator)
	return info
}

// configDefaults are the environment variables which the published plugin reads for provider settings.
func configDefaults() map[string]*tfbridge.SchemaInfo {
	fromEnv := func(name string) *tfbridge.SchemaInfo {
		return &tfbridge.SchemaInfo{Default: &tfbridge.DefaultInfo{EnvVars: []string{name}}}
	}
	return map[string]*tfbridge.SchemaInfo{
		"ecs_role_name": fromEnv("ALICLOUD_ECS_ROLE_NAME"),
		"profile":       fromEnv("ALICLOUD_PROFILE"),
		"region":        fromEnv("ALICLOUD_REGION"),
	}
}

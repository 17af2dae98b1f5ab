package main

import (
	"encoding/json"
	"io"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// names maps a Pulumi property name to its nested names (empty for plain values).
type names map[string]any

// printPropertyNames writes, per Pulumi token, the property names that the bridge derives from the Terraform schema, so
// that a test can hold them against the published SDK's.
func printPropertyNames(w io.Writer, info tfbridge.ProviderInfo) error {
	result := map[string]names{"config": propertyNames(info.P.Schema(), info.Config)}
	for tfName, res := range info.Resources {
		result[string(res.Tok)] = propertyNames(info.P.ResourcesMap().Get(tfName).Schema(), res.Fields)
	}
	for tfName, fn := range info.DataSources {
		result[string(fn.Tok)] = propertyNames(info.P.DataSourcesMap().Get(tfName).Schema(), fn.Fields)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(result)
}

// propertyNames lists one schema's property names, nested blocks included.
func propertyNames(fields shim.SchemaMap, infos map[string]*tfbridge.SchemaInfo) names {
	result := names{}
	fields.Range(func(key string, field shim.Schema) bool {
		nested := names{}
		if block, ok := field.Elem().(shim.Resource); ok {
			nested = propertyNames(block.Schema(), nil)
		}
		result[tfbridge.TerraformToPulumiNameV2(key, fields, infos)] = nested
		return true
	})
	return result
}

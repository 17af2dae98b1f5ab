package main

import (
	"encoding/json"
	"io"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// names maps a property name, with "[]" behind it if it is a list, to the names inside (none for plain values).
type names map[string]any

// printPropertyNames writes, per Pulumi token, the properties that the bridge derives from the Terraform schema, so that
// a test can hold them against the published SDK's. Removed properties of resources are left out, as in the SDK.
func printPropertyNames(w io.Writer, info tfbridge.ProviderInfo) error {
	result := map[string]names{}
	for tfName, res := range info.Resources {
		result[string(res.Tok)] = propertyNames(info.P.ResourcesMap().Get(tfName).Schema(), res.Fields, false)
	}
	for tfName, fn := range info.DataSources {
		result[string(fn.Tok)] = propertyNames(info.P.DataSourcesMap().Get(tfName).Schema(), fn.Fields, true)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(result)
}

// propertyNames lists one schema's property names, nested blocks included.
func propertyNames(properties shim.SchemaMap, infos fields, removed bool) names {
	result := names{}
	properties.Range(func(key string, property shim.Schema) bool {
		if property.Removed() != "" && !removed {
			return true
		}
		name := tfbridge.TerraformToPulumiNameV2(key, properties, infos)
		if isList(property, infos[key]) {
			name += "[]"
		}
		nested := names{}
		if block, ok := property.Elem().(shim.Resource); ok {
			nested = propertyNames(block.Schema(), nestedInfos(infos[key]), removed)
		}
		result[name] = nested
		return true
	})
	return result
}

func isList(property shim.Schema, info *tfbridge.SchemaInfo) bool {
	list := property.Type() == shim.TypeList || property.Type() == shim.TypeSet
	return list && !tfbridge.IsMaxItemsOne(property, info)
}

func nestedInfos(info *tfbridge.SchemaInfo) fields {
	if info == nil || info.Elem == nil {
		return nil
	}
	return info.Elem.Fields
}

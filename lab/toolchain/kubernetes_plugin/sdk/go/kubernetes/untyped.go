// Package kubernetes stands in for the plugin's generated Go SDK, which takes over twenty minutes to compile and of which the
// plugin itself names six identifiers. They are here, in this package and in yaml/v2 and helm/v4 below it.
package kubernetes

import "reflect"

// UntypedArgs are a resource's inputs as plain data.
type UntypedArgs map[string]any

// ElementType makes UntypedArgs a pulumi.Input.
func (UntypedArgs) ElementType() reflect.Type {
	return reflect.TypeOf((*map[string]any)(nil)).Elem()
}

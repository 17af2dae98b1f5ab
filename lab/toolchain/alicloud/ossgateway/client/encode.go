package client

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"reflect"
	"sort"
)

// encodeXML writes a map as XML elements: a nested map is a nested element, a list repeats its element, nil is left out.
// Keys with lists come first, then the others, each in alphabetical order, so that equal bodies are equal texts.
func encodeXML(body interface{}) ([]byte, error) {
	var out bytes.Buffer
	if err := writeChildren(&out, reflect.ValueOf(body)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func writeChildren(out *bytes.Buffer, fields reflect.Value) error {
	fields = concrete(fields)
	if !fields.IsValid() {
		return nil
	}
	if fields.Kind() != reflect.Map {
		return fmt.Errorf("OSS: a %s can't be an XML body", fields.Type())
	}
	for _, key := range sortedKeys(fields) {
		if err := writeElement(out, key, fields.MapIndex(reflect.ValueOf(key))); err != nil {
			return err
		}
	}
	return nil
}

func writeElement(out *bytes.Buffer, name string, value reflect.Value) error {
	value = concrete(value)
	if !value.IsValid() {
		return nil
	}
	if isList(value) {
		for i := 0; i < value.Len(); i++ {
			if err := writeElement(out, name, value.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintf(out, "<%s>", name)
	if value.Kind() == reflect.Map {
		if err := writeChildren(out, value); err != nil {
			return err
		}
	} else if err := xml.EscapeText(out, []byte(fmt.Sprint(value.Interface()))); err != nil {
		return err
	}
	fmt.Fprintf(out, "</%s>", name)
	return nil
}

// concrete looks through interfaces and pointers; the result is invalid for nil.
func concrete(value reflect.Value) reflect.Value {
	for value.IsValid() && (value.Kind() == reflect.Interface || value.Kind() == reflect.Pointer) {
		value = value.Elem()
	}
	return value
}

func isList(value reflect.Value) bool {
	return value.IsValid() && (value.Kind() == reflect.Slice || value.Kind() == reflect.Array)
}

func sortedKeys(fields reflect.Value) []string {
	keys := make([]string, 0, fields.Len())
	for _, key := range fields.MapKeys() {
		keys = append(keys, key.String())
	}
	list := func(key string) bool { return isList(concrete(fields.MapIndex(reflect.ValueOf(key)))) }
	sort.Slice(keys, func(i, j int) bool {
		if a, b := list(keys[i]), list(keys[j]); a != b {
			return a
		}
		return keys[i] < keys[j]
	})
	return keys
}

package client

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// lists are the elements, as "Parent/Child", that callers read as lists even if there is only one.
var lists = set(
	"CORSConfiguration/CORSRule", "CORSRule/AllowedHeader", "CORSRule/AllowedMethod", "CORSRule/AllowedOrigin",
	"CORSRule/ExposeHeader", "CipherSuite/CustomCipherSuite", "CipherSuite/TLS13CustomCipherSuite",
	"Condition/IncludeHeader", "Filters/Operation", "HeaderSet/header", "HideHeaders/Header",
	"LifecycleConfiguration/Rule", "ListCnameResult/Cname", "MirrorHeaders/Pass", "MirrorHeaders/Remove",
	"MirrorHeaders/Set", "MirrorMultiAlternates/MirrorMultiAlternate", "MirrorReturnHeaders/ReturnHeader",
	"MirrorTaggings/Taggings", "OptionalFields/Field", "OverwriteConfiguration/Rule", "ParamSet/parameter",
	"Principals/Principal", "RefererBlacklist/Referer", "RefererList/Referer", "ResponseHeaderConfiguration/Rule",
	"RoutingRules/RoutingRule", "TLS/TLSVersion",
)

// structures are the elements that hold other elements, so that an empty one is an empty map and not an empty text.
var structures = set(
	"AccessControlList", "ApplyServerSideEncryptionByDefault", "CipherSuite", "Condition", "Destination", "ErrorDocument",
	"Filter", "IncrementalInventory", "IndexDocument", "LoggingEnabled", "LuaConfig", "MirrorAuth", "MirrorHeaders",
	"OptionalFields", "PublicAccessBlockConfiguration", "Redirect", "RefererBlacklist", "RefererList", "RoutingRules",
	"Schedule", "TLS", "VpcConfiguration",
)

func set(names ...string) map[string]bool {
	result := map[string]bool{}
	for _, name := range names {
		result[name] = true
	}
	return result
}

// decodeXML reads a document as {root: content}. Content is a text, or a map of child elements; a repeated element is a
// list. A document without elements is an empty map.
func decodeXML(content []byte) (map[string]interface{}, error) {
	decoder := xml.NewDecoder(bytes.NewReader(content))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return map[string]interface{}{}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("OSS: the answer is not XML: %w", err)
		}
		if start, ok := token.(xml.StartElement); ok {
			value, err := readElement(decoder, start.Name.Local)
			if err != nil {
				return nil, fmt.Errorf("OSS: the answer is not XML: %w", err)
			}
			if _, plain := value.(string); plain && value == "" {
				value = map[string]interface{}{} // roots are always structures
			}
			return map[string]interface{}{start.Name.Local: value}, nil
		}
	}
}

func readElement(decoder *xml.Decoder, name string) (interface{}, error) {
	var characters strings.Builder
	children := map[string]interface{}{}
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		switch item := token.(type) {
		case xml.CharData:
			characters.Write(item)
		case xml.StartElement:
			child, err := readElement(decoder, item.Name.Local)
			if err != nil {
				return nil, err
			}
			add(children, name, item.Name.Local, child)
		case xml.EndElement:
			if len(children) > 0 || structures[name] {
				return children, nil
			}
			return characters.String(), nil
		}
	}
}

func add(children map[string]interface{}, parent, name string, child interface{}) {
	existing, repeated := children[name]
	if list, ok := existing.([]interface{}); ok {
		children[name] = append(list, child)
	} else if repeated {
		children[name] = []interface{}{existing, child}
	} else if lists[parent+"/"+name] {
		children[name] = []interface{}{child}
	} else {
		children[name] = child
	}
}

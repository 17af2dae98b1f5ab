package client

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"

	spi "github.com/alibabacloud-go/alibabacloud-gateway-spi/client"
	"github.com/alibabacloud-go/tea/tea"
)

// encodeBody turns the request's fields into the stream that is sent, with the headers that describe it. XML bodies carry
// their MD5, also empty ones; JSON bodies don't, and a text is sent as it is.
func encodeBody(request *spi.InterceptorContextRequest) error {
	if request.Body == nil {
		return nil
	}
	switch kind := tea.StringValue(request.ReqBodyType); kind {
	case "xml":
		content, err := encodeXML(request.Body)
		if err != nil {
			return err
		}
		sum := md5.Sum(content)
		request.Headers["content-md5"] = tea.String(base64.StdEncoding.EncodeToString(sum[:]))
		request.Headers["content-type"] = tea.String("application/xml")
		request.Stream = tea.ToReader(content)
	case "json":
		content, err := encodeJSON(request.Body)
		if err != nil {
			return err
		}
		request.Headers["content-type"] = tea.String("application/json; charset=utf-8")
		request.Stream = tea.ToReader(content)
	default:
		return fmt.Errorf("OSS: request bodies of type %q are not supported (%s)", kind, tea.StringValue(request.Action))
	}
	return nil
}

func encodeJSON(body interface{}) ([]byte, error) {
	if raw, ok := body.(string); ok {
		return []byte(raw), nil
	}
	return json.Marshal(body)
}

// decodeBody is the answer in the type that the caller has asked for; an empty answer is nil.
func decodeBody(kind string, content []byte) (interface{}, error) {
	switch kind {
	case "xml":
		root, err := decodeXML(content)
		if err != nil || len(root) == 0 {
			return nil, err
		}
		return root, nil
	case "json":
		if len(content) == 0 {
			return nil, nil
		}
		var decoded interface{}
		if err := json.Unmarshal(content, &decoded); err != nil {
			return nil, fmt.Errorf("OSS: the answer is not JSON: %w", err)
		}
		return decoded, nil
	default:
		return string(content), nil
	}
}

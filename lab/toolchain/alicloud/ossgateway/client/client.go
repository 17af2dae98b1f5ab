// Package client is this project's own stand-in for the OSS gateway of Alibaba Cloud's Go SDK, which the Go module proxy
// doesn't serve. It turns the generic calls of an OpenAPI client into requests of the OSS REST API and its answers back.
// The Terraform provider uses it for every resource that sets one sub-resource of a bucket (versioning, policy, …).
package client

import (
	"fmt"
	"io"
	"strings"

	spi "github.com/alibabacloud-go/alibabacloud-gateway-spi/client"
	"github.com/alibabacloud-go/tea/tea"
)

// Client is a gateway: the hooks around one request of an OpenAPI client.
type Client struct {
	spi.Client
}

// NewClient returns a gateway. It keeps no state, so one serves any number of requests.
func NewClient() (*Client, error) {
	client := new(Client)
	return client, client.Init()
}

// ModifyConfiguration fills in the region's public endpoint if the caller has named none.
func (client *Client) ModifyConfiguration(context *spi.InterceptorContext, _ *spi.AttributeMap) error {
	configuration := context.Configuration
	if tea.StringValue(configuration.Endpoint) != "" {
		return nil
	}
	region := tea.StringValue(configuration.RegionId)
	if region == "" {
		return fmt.Errorf("OSS: neither an endpoint nor a region is configured")
	}
	configuration.Endpoint = tea.String("oss-" + strings.TrimPrefix(region, "oss-") + ".aliyuncs.com")
	return nil
}

// ModifyRequest gives a request its host, body, headers and signature.
func (client *Client) ModifyRequest(context *spi.InterceptorContext, _ *spi.AttributeMap) error {
	request := context.Request
	if request.Headers == nil {
		request.Headers = map[string]*string{}
	}
	request.Headers["host"] = tea.String(host(context))
	request.Headers["user-agent"] = request.UserAgent
	separateQuery(request)
	if err := encodeBody(request); err != nil {
		return err
	}
	return sign(context)
}

// ModifyResponse decodes an answer, or returns it as an SDK error if its status says so.
func (client *Client) ModifyResponse(context *spi.InterceptorContext, _ *spi.AttributeMap) error {
	response := context.Response
	content, err := readAll(response.Body)
	if err != nil {
		return err
	}
	if status := tea.IntValue(response.StatusCode); status >= 400 {
		return serviceError(status, response.Headers, content)
	}
	decoded, err := decodeBody(tea.StringValue(context.Request.BodyType), content)
	if err != nil {
		return err
	}
	response.DeserializedBody = decoded
	return nil
}

// host puts the bucket before the endpoint, as OSS wants it.
func host(context *spi.InterceptorContext) string {
	endpoint := tea.StringValue(context.Configuration.Endpoint)
	if _, bare, found := strings.Cut(endpoint, "://"); found {
		endpoint = bare
	}
	if bucket := tea.StringValue(context.Request.HostMap["bucket"]); bucket != "" {
		return bucket + "." + endpoint
	}
	return endpoint
}

// separateQuery moves the sub-resource out of the path: "/?acl" is path "/" and query "acl".
func separateQuery(request *spi.InterceptorContextRequest) {
	path, query, found := strings.Cut(tea.StringValue(request.Pathname), "?")
	request.Pathname = tea.String(path)
	if request.Query == nil {
		request.Query = map[string]*string{}
	}
	if !found {
		return
	}
	for _, item := range strings.Split(query, "&") {
		key, value, _ := strings.Cut(item, "=")
		request.Query[key] = tea.String(value)
	}
}

func readAll(body io.Reader) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	content, err := io.ReadAll(body)
	if closer, ok := body.(io.Closer); ok {
		closer.Close()
	}
	return content, err
}

// serviceError is OSS's answer to a refused request, in the form in which the Terraform provider looks for codes.
func serviceError(status int, headers map[string]*string, content []byte) error {
	code, message := fmt.Sprint(status), strings.TrimSpace(string(content))
	host, ec := "", tea.StringValue(headers["x-oss-ec"])
	if root, err := decodeXML(content); err == nil {
		if details, ok := root["Error"].(map[string]interface{}); ok {
			code, message = text(details, "Code", code), text(details, "Message", message)
			host, ec = text(details, "HostId", ""), text(details, "EC", ec)
		}
	}
	return tea.NewSDKError(map[string]interface{}{
		"code":    code,
		"message": message,
		"data": map[string]interface{}{
			"httpCode":   status,
			"statusCode": status,
			"requestId":  tea.StringValue(headers["x-oss-request-id"]),
			"hostId":     host,
			"ec":         ec,
		},
	})
}

func text(fields map[string]interface{}, key, otherwise string) string {
	if value, ok := fields[key].(string); ok && value != "" {
		return value
	}
	return otherwise
}

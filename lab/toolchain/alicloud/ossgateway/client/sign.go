package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	spi "github.com/alibabacloud-go/alibabacloud-gateway-spi/client"
	"github.com/alibabacloud-go/tea/tea"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"
)

// sign adds the signature headers: version 4, unless the provider is configured to sign OSS requests with version 1.
func sign(call *spi.InterceptorContext) error {
	request := call.Request
	if request.Credential == nil {
		return fmt.Errorf("OSS: no credentials are configured")
	}
	model, err := request.Credential.GetCredential()
	if err != nil {
		return fmt.Errorf("OSS: no credentials: %w", err)
	}
	plain, err := httpRequest(request)
	if err != nil {
		return err
	}
	signing := &signer.SigningContext{
		Product: tea.String("oss"),
		Region:  tea.String(region(call.Configuration)),
		Bucket:  request.HostMap["bucket"],
		Request: plain,
		Credentials: &credentials.Credentials{
			AccessKeyID:     tea.StringValue(model.AccessKeyId),
			AccessKeySecret: tea.StringValue(model.AccessKeySecret),
			SecurityToken:   tea.StringValue(model.SecurityToken),
		},
	}
	if key := strings.TrimPrefix(tea.StringValue(request.Pathname), "/"); key != "" {
		signing.Key = tea.String(key)
	}
	if err := signerFor(tea.StringValue(request.SignatureVersion)).Sign(context.Background(), signing); err != nil {
		return fmt.Errorf("OSS: can't sign the request: %w", err)
	}
	for name := range plain.Header {
		request.Headers[strings.ToLower(name)] = tea.String(plain.Header.Get(name))
	}
	return nil
}

func signerFor(version string) signer.Signer {
	if strings.EqualFold(version, "v1") {
		return &signer.SignerV1{}
	}
	return &signer.SignerV4{}
}

// httpRequest is the request as it will be sent, for the signer to read; the client sends another one like it.
func httpRequest(request *spi.InterceptorContextRequest) (*http.Request, error) {
	query := url.Values{}
	for key, value := range request.Query {
		query.Set(key, tea.StringValue(value))
	}
	address := "https://" + tea.StringValue(request.Headers["host"]) + tea.StringValue(request.Pathname)
	result, err := http.NewRequest(tea.StringValue(request.Method), address+"?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("OSS: %w", err)
	}
	for name, value := range request.Headers {
		if value != nil && name != "host" && name != "user-agent" {
			result.Header.Set(name, *value)
		}
	}
	return result, nil
}

// region is the configured one, else the one in the endpoint's name (oss-cn-shanghai-internal.aliyuncs.com).
func region(configuration *spi.InterceptorContextConfiguration) string {
	if configured := tea.StringValue(configuration.RegionId); configured != "" {
		return configured
	}
	name, _, _ := strings.Cut(tea.StringValue(configuration.Endpoint), ".")
	return strings.TrimSuffix(strings.TrimPrefix(name, "oss-"), "-internal")
}

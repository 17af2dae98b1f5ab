package client

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	spi "github.com/alibabacloud-go/alibabacloud-gateway-spi/client"
	"github.com/alibabacloud-go/tea/tea"
	credential "github.com/aliyun/credentials-go/credentials"
)

func call(t *testing.T, method, path, kind string, body interface{}) *spi.InterceptorContext {
	t.Helper()
	static, err := credential.NewCredential(new(credential.Config).
		SetType("access_key").SetAccessKeyId("AK").SetAccessKeySecret("SK"))
	if err != nil {
		t.Fatal(err)
	}
	context := &spi.InterceptorContext{
		Request: &spi.InterceptorContextRequest{
			Headers: map[string]*string{}, Query: map[string]*string{}, HostMap: map[string]*string{"bucket": tea.String("b1")},
			Pathname: tea.String(path), Method: tea.String(method), ReqBodyType: tea.String(kind), BodyType: tea.String("xml"),
			Body: body, Credential: static, UserAgent: tea.String("agent"),
		},
		Configuration: &spi.InterceptorContextConfiguration{
			RegionId: tea.String("cn-shanghai"), Endpoint: tea.String("oss-cn-shanghai.aliyuncs.com"),
		},
	}
	client, err := NewClient()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.ModifyConfiguration(context, nil); err != nil {
		t.Fatal(err)
	}
	if err := client.ModifyRequest(context, nil); err != nil {
		t.Fatal(err)
	}
	return context
}

func sent(t *testing.T, context *spi.InterceptorContext) string {
	t.Helper()
	if context.Request.Stream == nil {
		return ""
	}
	content, err := io.ReadAll(context.Request.Stream)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The expected bodies and MD5s are those the published plugin 3.105.0 was recorded to send.
func TestRequestBodiesAreTheRecordedOnes(t *testing.T) {
	object := func(items ...interface{}) map[string]interface{} {
		result := map[string]interface{}{}
		for i := 0; i < len(items); i += 2 {
			result[items[i].(string)] = items[i+1]
		}
		return result
	}
	tls := object("TLSVersion", []interface{}{"TLSv1.2", "TLSv1.3"}, "Enable", true)
	cases := map[string]struct {
		body      interface{}
		text, md5 string
	}{
		"versioning": {object("VersioningConfiguration", object("Status", "Enabled")),
			"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", "8qj8HSeDu3APPMQZVG06WQ=="},
		"https": {object("HttpsConfiguration", object("TLS", tls)),
			"<HttpsConfiguration><TLS><TLSVersion>TLSv1.2</TLSVersion><TLSVersion>TLSv1.3</TLSVersion>" +
				"<Enable>true</Enable></TLS></HttpsConfiguration>", "9mnZ1hp286XlP12QfhNzzQ=="},
		"block": {object("PublicAccessBlockConfiguration", object("BlockPublicAccess", true)),
			"<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>",
			"/U655m3nC6Xjg2S0w7i5Pw=="},
		"empty": {object(), "", "1B2M2Y8AsgTpgAmY7PhCfg=="},
	}
	for name, c := range cases {
		context := call(t, "PUT", "/?sub", "xml", c.body)
		if got := sent(t, context); got != c.text {
			t.Errorf("%s: body %q, want %q", name, got, c.text)
		}
		if got := tea.StringValue(context.Request.Headers["content-md5"]); got != c.md5 {
			t.Errorf("%s: content-md5 %q, want %q", name, got, c.md5)
		}
		if got := tea.StringValue(context.Request.Headers["content-type"]); got != "application/xml" {
			t.Errorf("%s: content-type %q", name, got)
		}
	}
}

func TestPolicyTextIsSentAsItIsWithoutMD5(t *testing.T) {
	context := call(t, "PUT", "/?policy", "json", `{"Version": "1"}`)
	if got := sent(t, context); got != `{"Version": "1"}` {
		t.Errorf("body %q", got)
	}
	if got := tea.StringValue(context.Request.Headers["content-type"]); got != "application/json; charset=utf-8" {
		t.Errorf("content-type %q", got)
	}
	if _, there := context.Request.Headers["content-md5"]; there {
		t.Error("a policy must not carry content-md5")
	}
}

func TestRequestsWithoutBodyHaveNoBodyHeaders(t *testing.T) {
	context := call(t, "GET", "/?acl", "xml", nil)
	for _, name := range []string{"content-md5", "content-type"} {
		if _, there := context.Request.Headers[name]; there {
			t.Errorf("%s must not be sent", name)
		}
	}
	if got := sent(t, context); got != "" {
		t.Errorf("body %q", got)
	}
}

func TestBucketIsInTheHostAndSubResourceInTheQuery(t *testing.T) {
	request := call(t, "GET", "/?inventory&inventoryId=a", "xml", nil).Request
	if got := tea.StringValue(request.Headers["host"]); got != "b1.oss-cn-shanghai.aliyuncs.com" {
		t.Errorf("host %q", got)
	}
	want := map[string]*string{"inventory": tea.String(""), "inventoryId": tea.String("a")}
	if !reflect.DeepEqual(request.Query, want) || tea.StringValue(request.Pathname) != "/" {
		t.Errorf("path %q, query %v", tea.StringValue(request.Pathname), request.Query)
	}
}

func TestRequestsAreSignedWithVersion4AndUnsignedPayload(t *testing.T) {
	headers := call(t, "GET", "/?acl", "xml", nil).Request.Headers
	date := tea.StringValue(headers["x-oss-date"])
	if len(date) != len("20060102T150405Z") {
		t.Fatalf("x-oss-date %q", date)
	}
	prefix := "OSS4-HMAC-SHA256 Credential=AK/" + date[:8] + "/cn-shanghai/oss/aliyun_v4_request,Signature="
	if got := tea.StringValue(headers["authorization"]); !strings.HasPrefix(got, prefix) {
		t.Errorf("authorization %q", got)
	}
	if got := tea.StringValue(headers["x-oss-content-sha256"]); got != "UNSIGNED-PAYLOAD" {
		t.Errorf("x-oss-content-sha256 %q", got)
	}
}

func answer(t *testing.T, kind string, status int, body string) (interface{}, error) {
	t.Helper()
	context := &spi.InterceptorContext{
		Request: &spi.InterceptorContextRequest{BodyType: tea.String(kind)},
		Response: &spi.InterceptorContextResponse{
			StatusCode: tea.Int(status), Body: strings.NewReader(body),
			Headers: map[string]*string{"x-oss-request-id": tea.String("REQ")},
		},
	}
	err := new(Client).ModifyResponse(context, nil)
	return context.Response.DeserializedBody, err
}

func TestAnswersAreMapsWithListsWhereCallersReadLists(t *testing.T) {
	body := "<?xml version=\"1.0\"?>\n<HttpsConfiguration><TLS><TLSVersion>TLSv1.2</TLSVersion><Enable>true</Enable></TLS></HttpsConfiguration>"
	got, err := answer(t, "xml", 200, body)
	want := map[string]interface{}{"HttpsConfiguration": map[string]interface{}{
		"TLS": map[string]interface{}{"TLSVersion": []interface{}{"TLSv1.2"}, "Enable": "true"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestEmptyRootsAndStructuresAreMapsAndOtherEmptyElementsTexts(t *testing.T) {
	got, err := answer(t, "xml", 200, "<BucketLoggingStatus><LoggingEnabled/><Prefix/></BucketLoggingStatus>")
	want := map[string]interface{}{"BucketLoggingStatus": map[string]interface{}{
		"LoggingEnabled": map[string]interface{}{}, "Prefix": ""}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	got, err = answer(t, "xml", 200, "<VersioningConfiguration/>")
	if err != nil || !reflect.DeepEqual(got, map[string]interface{}{"VersioningConfiguration": map[string]interface{}{}}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAnswersWithoutElementsAreNil(t *testing.T) {
	for _, body := range []string{"", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"} {
		if got, err := answer(t, "xml", 200, body); got != nil || err != nil {
			t.Errorf("%q: %v, %v", body, got, err)
		}
	}
}

func TestJSONAnswersAreDecoded(t *testing.T) {
	got, err := answer(t, "json", 200, `{"Version":"1"}`)
	if err != nil || !reflect.DeepEqual(got, map[string]interface{}{"Version": "1"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestRefusalsAreSDKErrorsWithOSSsCode(t *testing.T) {
	_, err := answer(t, "xml", 404, "<Error><Code>NoSuchBucket</Code><Message>gone</Message><HostId>h</HostId></Error>")
	var refusal *tea.SDKError
	if !errors.As(err, &refusal) {
		t.Fatalf("%T: %v", err, err)
	}
	if tea.StringValue(refusal.Code) != "NoSuchBucket" || tea.StringValue(refusal.Message) != "gone" || tea.IntValue(refusal.StatusCode) != 404 {
		t.Errorf("%v", refusal)
	}
	if data := tea.StringValue(refusal.Data); !strings.Contains(data, `"requestId":"REQ"`) {
		t.Errorf("data %q", data)
	}
}

func TestRefusalsWithoutXMLKeepTheirStatusAndText(t *testing.T) {
	_, err := answer(t, "xml", 502, "bad gateway")
	var refusal *tea.SDKError
	if !errors.As(err, &refusal) || tea.StringValue(refusal.Code) != "502" || tea.StringValue(refusal.Message) != "bad gateway" {
		t.Errorf("%v", err)
	}
}

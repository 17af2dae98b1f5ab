package client

import (
	spi "github.com/alibabacloud-go/alibabacloud-gateway-spi/client"
	"github.com/alibabacloud-go/tea/tea"
	util "github.com/alibabacloud-go/tea-utils/v2/service"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	credential "github.com/aliyun/credentials-go/credentials"
)

var _ = tea.String
var _ = util.ReadAsBytes
var _ signer.Signer
var _ credentials.Credentials
var _ credential.Credential
type Client struct { spi.Client }

func NewClient() (*Client, error) {
	client := new(Client)
	return client, client.Init()
}

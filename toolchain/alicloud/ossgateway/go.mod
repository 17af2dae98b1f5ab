module github.com/alibabacloud-go/alibabacloud-gateway-oss

go 1.26

require (
	github.com/alibabacloud-go/alibabacloud-gateway-spi v0.0.5
	github.com/alibabacloud-go/tea v1.3.13
	github.com/alibabacloud-go/tea-utils/v2 v2.0.7
	github.com/aliyun/alibabacloud-oss-go-sdk-v2 v1.5.0
	github.com/aliyun/credentials-go v1.4.12
)

# The same network and bucket, for OpenTofu or Terraform. Keys, region and certificates come from `ack-lab exec`.
terraform {
  required_providers {
    alicloud = {
      source = "aliyun/alicloud"
    }
  }
}

resource "alicloud_vpc" "network" {
  cidr_block = "10.8.0.0/16"
}

resource "alicloud_vswitch" "switch" {
  vpc_id     = alicloud_vpc.network.id
  cidr_block = "10.8.1.0/24"
  zone_id    = "cn-shanghai-g"
}

resource "alicloud_oss_bucket" "bucket" {
  bucket = "ack-lab-example-tofu"
}

output "vpc" {
  value = alicloud_vpc.network.id
}

"""A network and a bucket on Alibaba Cloud, as any project may have them."""

import pulumi
import pulumi_alicloud as alicloud

network = alicloud.vpc.Network("network", cidr_block="10.8.0.0/16")
switch = alicloud.vpc.Switch(
    "switch", vpc_id=network.id, cidr_block="10.8.1.0/24", zone_id="cn-shanghai-g"
)
bucket = alicloud.oss.Bucket("bucket", bucket=f"ack-lab-example-{pulumi.get_stack()}")
greeting = alicloud.oss.BucketObject(
    "greeting", bucket=bucket.bucket, key="greeting.txt", content="hello from the lab\n"
)
pulumi.export("vpc", network.id)
pulumi.export("vswitch", switch.id)
pulumi.export("bucket", bucket.bucket)

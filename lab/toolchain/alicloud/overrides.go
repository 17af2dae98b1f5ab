package main

import "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"

// fields is the shape in which the bridge takes what differs from its own rules.
type fields = map[string]*tfbridge.SchemaInfo

// resourceOverrides are the properties which the published SDK has as one object though the Terraform schema has a list.
func resourceOverrides() map[string]fields {
	return map[string]fields{
		"alicloud_cs_managed_kubernetes": single("rrsa_metadata"),
	}
}

// functionOverrides are the same for functions.
func functionOverrides() map[string]fields {
	cluster := single("auto_mode", "maintenance_window", "operation_policy")
	cluster["operation_policy"].Elem = inside(single("cluster_auto_upgrade"))
	pool := single("kubelet_configuration", "management", "private_pool_options", "scaling_config", "tee_config")
	pool["kubelet_configuration"].Elem = inside(single("tracing"))
	pool["management"].Elem = inside(single("auto_repair_policy", "auto_upgrade_policy", "auto_vul_fix_policy"))
	bucket := single("logging", "referer_config", "server_side_encryption_rule", "versioning", "website")
	list := func(of fields) *tfbridge.SchemaInfo { return &tfbridge.SchemaInfo{Elem: inside(of)} }
	bucket["lifecycle_rule"] = list(single("expiration"))
	return map[string]fields{
		"alicloud_cs_clusters":                    {"clusters": list(cluster)},
		"alicloud_cs_kubernetes_node_pools":       {"nodepools": list(pool)},
		"alicloud_cs_managed_kubernetes_clusters": {"clusters": list(single("rrsa_config"))},
		"alicloud_oss_buckets":                    {"buckets": list(bucket)},
	}
}

// single marks lists that are one object.
func single(names ...string) fields {
	result := fields{}
	for _, name := range names {
		result[name] = &tfbridge.SchemaInfo{MaxItemsOne: tfbridge.True()}
	}
	return result
}

// inside puts overrides on what a list or object holds.
func inside(of fields) *tfbridge.SchemaInfo {
	return &tfbridge.SchemaInfo{Fields: of}
}

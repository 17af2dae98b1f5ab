package main

import "strings"

// resourceTypes maps Terraform resource names to "<module>/<Type>", the names in the Python SDK.
var resourceTypes = map[string]string{
	"alicloud_alidns_record":              "dns/AlidnsRecord",
	"alicloud_cs_autoscaling_config":      "cs/AutoscalingConfig",
	"alicloud_cs_kubernetes_addon":        "cs/KubernetesAddon",
	"alicloud_cs_kubernetes_node_pool":    "cs/NodePool",
	"alicloud_cs_managed_kubernetes":      "cs/ManagedKubernetes",
	"alicloud_ims_oidc_provider":          "ims/OidcProvider",
	"alicloud_log_project":                "log/Project",
	"alicloud_log_store":                  "log/Store",
	"alicloud_log_store_index":            "log/StoreIndex",
	"alicloud_ram_access_key":             "ram/AccessKey",
	"alicloud_ram_policy":                 "ram/Policy",
	"alicloud_ram_role":                   "ram/Role",
	"alicloud_ram_role_policy_attachment": "ram/RolePolicyAttachment",
	"alicloud_ram_user":                   "ram/User",
	"alicloud_ram_user_policy_attachment": "ram/UserPolicyAttachment",
	"alicloud_security_group":             "ecs/SecurityGroup",
	"alicloud_security_group_rule":        "ecs/SecurityGroupRule",
	"alicloud_vpc":                        "vpc/Network",
	"alicloud_vswitch":                    "vpc/Switch",
}

// ossResources are the resources of the oss module: "bucket_acl" is alicloud_oss_bucket_acl and BucketAcl.
var ossResources = []string{
	"access_point", "account_public_access_block", "bucket", "bucket_access_monitor", "bucket_acl",
	"bucket_archive_direct_read", "bucket_cname", "bucket_cname_token", "bucket_cors",
	"bucket_data_redundancy_transition", "bucket_https_config", "bucket_inventory", "bucket_logging",
	"bucket_meta_query", "bucket_object", "bucket_object_worm_configuration", "bucket_overwrite_config",
	"bucket_policy", "bucket_public_access_block", "bucket_referer", "bucket_replication",
	"bucket_request_payment", "bucket_response_header", "bucket_server_side_encryption", "bucket_style",
	"bucket_transfer_acceleration", "bucket_user_defined_log_fields", "bucket_versioning", "bucket_website",
	"bucket_worm",
}

// functionNames maps Terraform data source names to "<module>/<Name>"; the function is get<Name>.
var functionNames = map[string]string{
	"alicloud_account":                        "index/Account",
	"alicloud_alidns_records":                 "dns/AlidnsRecords",
	"alicloud_caller_identity":                "index/CallerIdentity",
	"alicloud_cs_cluster_credential":          "cs/ClusterCredential",
	"alicloud_cs_clusters":                    "cs/Clusters",
	"alicloud_cs_kubernetes_addon_metadata":   "cs/KubernetesAddonMetadata",
	"alicloud_cs_kubernetes_addons":           "cs/KubernetesAddons",
	"alicloud_cs_kubernetes_node_pools":       "cs/KubernetesNodePools",
	"alicloud_cs_kubernetes_version":          "cs/KubernetesVersion",
	"alicloud_cs_managed_kubernetes_clusters": "cs/ManagedKubernetesClusters",
	"alicloud_ess_scaling_groups":             "ess/ScalingGroups",
	"alicloud_ims_oidc_providers":             "ims/OidcProviders",
	"alicloud_instance_types":                 "ecs/InstanceTypes",
	"alicloud_log_projects":                   "log/Projects",
	"alicloud_log_stores":                     "log/Stores",
	"alicloud_oss_bucket_objects":             "oss/BucketObjects",
	"alicloud_oss_buckets":                    "oss/Buckets",
	"alicloud_ram_policies":                   "ram/Policies",
	"alicloud_ram_policy_document":            "ram/PolicyDocument",
	"alicloud_ram_role_policy_attachments":    "ram/RolePolicyAttachments",
	"alicloud_ram_roles":                      "ram/Roles",
	"alicloud_ram_users":                      "ram/Users",
	"alicloud_regions":                        "index/Regions",
	"alicloud_security_groups":                "ecs/SecurityGroups",
	"alicloud_vpcs":                           "vpc/Networks",
	"alicloud_vswitches":                      "vpc/Switches",
	"alicloud_zones":                          "index/Zones",
}

// resourceTokens returns the Pulumi type token of every mapped Terraform resource.
func resourceTokens() map[string]string {
	result := map[string]string{}
	for tfName, name := range resourceTypes {
		module, typ, _ := strings.Cut(name, "/")
		result[tfName] = token(module, typ)
	}
	for _, name := range ossResources {
		result["alicloud_oss_"+name] = token("oss", pascal(name))
	}
	return result
}

// functionTokens returns the Pulumi function token of every mapped Terraform data source.
func functionTokens() map[string]string {
	result := map[string]string{}
	for tfName, name := range functionNames {
		module, noun, _ := strings.Cut(name, "/")
		result[tfName] = "alicloud:" + module + "/get" + noun + ":get" + noun
	}
	return result
}

// token is a Pulumi type token: token("cs", "NodePool") is alicloud:cs/nodePool:NodePool.
func token(module, typ string) string {
	return "alicloud:" + module + "/" + strings.ToLower(typ[:1]) + typ[1:] + ":" + typ
}

// pascal turns snake case into Pascal case.
func pascal(snake string) string {
	var b strings.Builder
	for _, word := range strings.Split(snake, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

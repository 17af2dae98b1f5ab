"""The program's components under the real Pulumi CLI, without a cloud."""

"""ECS: instances, what is on offer, disks and security groups."""

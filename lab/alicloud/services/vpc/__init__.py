"""VPC: networks, vSwitches, public addresses, NAT gateways and their tags."""

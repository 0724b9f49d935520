"""Use cases of networks, subnets, ports, gateways and security groups: the embedded Network v2.0."""

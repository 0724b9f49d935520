"""Use cases of networks, subnets, ports, routers and security groups: the embedded Network v2.0."""

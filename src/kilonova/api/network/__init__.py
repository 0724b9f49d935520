"""Network v2.0: networks, subnets, ports, security groups, and what clients ask beside them."""

"""The host's share of the networks: bridges, DHCP, metadata, firewall; converged from desired state."""

"""All that touches a host: hypervisor, host network, image cache and consoles. It never sees the database."""

"""What makes machines: the port, and its drivers (libvirt, simulator)."""

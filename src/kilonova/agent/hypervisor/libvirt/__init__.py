"""Real machines, through libvirt and QEMU."""

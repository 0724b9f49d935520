"""The simulated hypervisor: life-like stages and times on an injected clock, and no machine."""

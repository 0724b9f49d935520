"""
A host's share of the networks: bridges, DHCP, metadata and firewall, converged from desired state.

    records.py     what the host was told, in a file (agent/share.py adds it up)
    machine.py     the machine's own name servers
    beyond.py      what guests may reach by their gateways (pure)
    conflicts.py   what a host must refuse before it touches anything (pure)
    devices.py     bridges: planned (pure), and made with netlink
    slots.py       the number of each network on this host: its gateway's addresses, its conntrack zone (pure)
    gateways.py     a network's gateway: a namespace with two cables
    tunnels.py     VXLAN devices to the other hosts of a network
    namespaces.py  namespaces by name: made, entered, removed
    fabric.py      all of these together, and where a network is served
    dnsmasq.py     a network's DHCP and DNS as text (pure)
    dhcp.py        dnsmasq processes: started, told, found again, ended
    firewall/      two nftables tables as text (pure), replaced in one transaction; its own text says how they judge
    flows.py       ends flows that rules let through which are no more
    host.py        LinuxHostNetwork: the port's implementation, the order of things, the lock
    inspection.py  what is there without an owner; what else on the machine drops guests' packets

States
------
The *records* (one file in the data directory) are the intent. They are written before anything changes, so whatever is
found on the host after a crash is either in them or on its way out. What *was made* is one folder per network in the run
directory, named like its bridge: made before the bridge, removed after it. A pass compares the two and makes the difference:

    check -> write the records -> a network's folder, bridge, gateway, metadata socket -> firewall, flows -> DHCP -> tunnels ->
    remove others

Invariants
----------
- A refusal (`conflicts.py`) leaves host and records as they were; a failure half-way leaves records that the next pass
  carries on from.
- The firewall is in force before `merge` returns, that is before a tap exists; taps are known to it by name.
- Only what is ours is touched: bridges and processes that have a folder, tables of our name, sysctls whose former value is in
  the records. Everything else on the machine belongs to somebody.
- One lock holds for a whole pass. A pass costs some ten milliseconds, and two at the same time would gain nothing.

The run directory is for root to write and for everybody to read: dnsmasq gives up its privileges before it reads its hosts
file, and a data directory may be in a home that nobody else may enter. It does not survive a reboot, and neither do the
bridges, namespaces and processes that it stands for.

Every network is served in the namespace of its gateway (ADR 0007, 0013). The machine's own routing table gets the addresses of
the gateways' cables and nothing that a tenant chose.
"""

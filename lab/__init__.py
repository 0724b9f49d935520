"""
Machines within the machine, for trying Kilonova out and for its tests; needs root.

    place.py     one machine: network, processes, mounts and host name of its own (namespaces)
    underlay.py  the wires between them
    fleet.py     a control plane with PostgreSQL and RabbitMQ, and hosts that join it
    __main__.py  `make lab`, `make lab-down`
"""

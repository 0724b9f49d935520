"""
A process of a fleet, whatever it does: how it starts, says how it fares, and stops.

    life.py      from the start to SIGTERM
    health.py    /healthz/live, /healthz/ready and /metrics
    listener.py  an ASGI application, served until the process stops
"""

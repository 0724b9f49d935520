"""
The only room that knows concrete classes: it makes processes from their settings.

    first_start.py schema, credentials, catalog, default flavors and network
    api.py         the API: its services and the rim          a new service is a line in `ApiRole._services`
    conductor.py   the conductor: sagas and reconcilers       a new one is a line in `_definitions` or `_reconcilers`
    scheduler.py   the scheduler
    agent.py       the hosts of a process; imports no store
    cloud.py       all of them in one process: the embedded cloud

Each is made with one `Runtime` (database, bus, clock, ids). A component is made stopped, with all that it needs handed in;
`start` and `stop` are its life. Nothing is imported here, so that an agent's process never loads what it must not use.
"""

"""
Deterministic simulation: a whole control plane in one thread, on a clock of its own, with every choice drawn from a seed.

A world is a few conductors, schedulers and hosts, an API, one database and the bus between them: the product's own classes, with
four ports filled otherwise (clock, bus, database, hypervisor). Nothing happens but *events*, kept in one heap by the time they
fall due: a message arrives, a conductor takes the next saga, a timer fires, a user asks for something, a fault strikes. All that
could go either way asks `Chance`, which is one seeded generator; so a seed is a history, and the same seed is the same history.

    chance.py      the generator, the odds of every kind of fault, and the digest of the history
    events.py      time, the heap of events, and the lives of processes
    bus.py         the bus: messages late, lost, doubled, out of order; hosts cut off
    store.py       one SQLite database in memory: transactions that fail, or that did not but say so
    processes.py   what runs: conductors, schedulers, hosts, the API
    users.py       what people ask for
    faults.py      what strikes: crashes, partitions, power cuts, clocks that jump
    properties.py  what must hold after every event, and in the end
    world.py       one world, from its seed to its verdict

Where threads would interleave, events nest. A process that is about to begin a transaction, or that waits for an answer, may be
*paused*: the loop then runs other events inside its call, for a moment or for longer than a lease lasts, and returns to it
afterwards, when others may have taken its saga over or it may have been killed. Killing is an exception that no product code
catches, raised where the dead process would have acted next; what it was doing is undone exactly as far as its transactions are.

What this cannot show: races of transactions inside PostgreSQL (here they happen one after another), partial work on a real host,
and anything that our own fakes do better than life. `make chaos` and the component tests are for those.
"""

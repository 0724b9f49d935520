"""
A storm: a fleet under a steady load of boots and deletes, and faults of every kind, one after another and on top of each other.

    schedule.py  which fault strikes whom, when and for how long: a pure function of the seed
    clouds.py    what a storm needs of a fleet, and the fleet of processes with simulated hosts
    lab.py       the same of the lab, with real hosts
    load.py      who boots and deletes, and remembers what was answered
    strikes.py   carries the schedule out
    verdict.py   what must be true of every server when it is over
    run.py       all of it, once
"""

"""
`make chaos`: kill the real process with -9 at every line of every journal, and see that nothing is stuck and nothing leaks.

    points.py    where to kill: each line before and after its commit, each message lost, each stage on the host, and by chance
    bench.py     one cloud, real or simulated, what is on its hosts, looked at without asking the cloud
    trials.py    one kill: some servers under way, death, a new process, and what must be true then
    storm/       faults of every kind, one on top of the other, on a fleet that works
    __main__.py  all of them, a summary as JSON
"""

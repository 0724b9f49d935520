"""
What a fleet's processes are told: one TOML file for all of them, a section a matter.

    sections.py   the sections and their keys, typed, each key with its text (section.py: their base; bus.py: `[bus]`)
    network.py    the section of networks
    keys.py       what wraps the keys of tokens
    log.py        where a process logs
    fleet.py      all sections: what the control plane's processes read
    load.py       file, environment and secret files into a struct of sections, or errors that say where and what
    sample.py     a commented sample, made from the sections
    secret.py     a text that is shown to nobody

An agent reads `AgentConfig`, which has no database: its host's file need not name one.
"""

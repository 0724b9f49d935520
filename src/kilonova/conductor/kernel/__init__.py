"""
The saga kernel.

A saga is a row and a journal. Nothing about where it stands is kept in memory that could not be thrown away: `fold` reads
the position off the journal, `decide` (pure) says what comes next, the `Runner` does that one thing and writes it down, in one
transaction with the thing itself where the thing is our own database. Steps that need a host send a command and *park*; the
host's report, written to the row, makes the saga ready again. So a kill -9 between any two instructions loses at most the
transaction it interrupted.

    definition.py   what a saga is made of: steps with their do and undo
    position.py     fold(journal) -> Position, decide(Position) -> what comes next; pure
    runner.py       takes leases and carries out what `decide` says
"""

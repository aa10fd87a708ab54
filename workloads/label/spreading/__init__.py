"""A stage's work → pieces of it on every machine that shares it, and their results in the records of this one.

    stage on this machine → ledger → crew (Ray) → a hand on each machine → the same stage, on a workspace of some pieces
                                                                        ← records and files, as they come

ledger      which piece is where; what a machine held when it died is given out again; pure
crew        the machines, by Ray: the one module that speaks to it
hand        what runs on a machine: it lays out a piece's files, runs the stage, and tells each record it writes
spread      the loop: hands out, takes in, until every piece has its record
documents   convert: documents by their bytes; texts and Parquet come back
items       preannotate: items and the model that serves; predictions come back

Records are written on the machine on which the run was started, by nobody else: a piece that two machines did has one.
"""

"""A key or credential that is due → its successor, proven, and the old one refused; and all of them revoked at once.

Each kind is a state machine: `observe` reads where things stand from the real places (the controller's files, the
host, the store), the pure `next_step` names what comes next, `act` does it. There is no journal: a run that was killed
anywhere is run again, sees what is there and goes on. Above `cloud` and `host`, because it needs both.
"""

"""Who may do what with which objects: the one table that every engine has to agree with, on the premises and on AWS.

Pure data. A store that enforces its policies decides each row in test_decisions.py, a policy engine decides the same
rows for the documents of the account. What is not in the table is refused.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

MODELS_PREFIX = "calypso"
"""`label.models.prefix`: below it lies what Calypso serves."""


class Caller(StrEnum):
    """Who asks. spark-02 has the role label, promotes models and is the heir of spark-01, which has no such role."""

    HOST_A = "spark-01"
    HOST_B = "spark-02"
    CALYPSO = "calypso"
    CONTROLLER = "controller"
    UNKNOWN = "spark-99"  # a key that the store never gave, a certificate whose name is no host of the fleet
    ANONYMOUS = "anonymous"  # an unsigned request


class Verb(StrEnum):
    """What is asked for, and the action that decides it; each row of TABLE uses the first letters."""

    GET = "s3:GetObject"
    PUT = "s3:PutObject"
    LIST = "s3:ListBucket"
    DELETE = "s3:DeleteObject"


class Place(StrEnum):
    """The objects that are asked for, as the columns of TABLE name them."""

    OWN = "own"
    OTHER = "other"
    SHARED = "shared"
    ELSEWHERE = "elsewhere"
    SERVED = "served"
    MODELS = "models"
    OWN_RUNS = "own-runs"
    OTHER_RUNS = "other-runs"
    OTHER_KEPT = "other-kept"
    AUDIT = "audit"
    STATE = "state"


class Decision(NamedTuple):
    """One row: whether `caller` may do `verb` with an object below `prefix` of the fleet's bucket for `purpose`."""

    caller: Caller
    verb: Verb
    place: Place
    purpose: str
    prefix: str
    allowed: bool

    def __str__(self) -> str:
        """The row in words, as pytest names it."""
        return f"{self.caller}-{self.verb.name.lower()}-{self.place}"


# g get, p put, l list, d delete (a delete leaves a version; nobody here may delete a version).
TABLE = """
            own   other  shared  elsewhere  served  models  own-runs  other-runs  other-kept  audit  state
spark-01    gpld  -      gl      -          gl      gl      gpl       -           -           -      -
spark-02    gpld  -      gl      -          gpld    gl      gpl       -           gl          -      -
calypso     -     -      -       -          gl      -       -         -           -           -      -
controller  -     -      -       -          -       -       -         -           -           pl     -
spark-99    -     -      -       -          -       -       -         -           -           -      -
anonymous   -     -      -       -          -       -       -         -           -           -      -
"""
LETTERS = {"g": Verb.GET, "p": Verb.PUT, "l": Verb.LIST, "d": Verb.DELETE}


def where(caller: Caller, place: Place) -> tuple[str, str]:
    """Which bucket's purpose and which prefix `place` is for this caller; "own" is named after the caller itself."""
    other = Caller.HOST_B if caller is Caller.HOST_A else Caller.HOST_A
    return {
        Place.OWN: ("datasets", f"hosts/{caller}/"),
        Place.OTHER: ("datasets", f"hosts/{other}/"),
        Place.SHARED: ("datasets", "shared/"),
        Place.ELSEWHERE: ("datasets", "elsewhere/"),
        Place.SERVED: ("models", f"{MODELS_PREFIX}/"),
        Place.MODELS: ("models", "elsewhere/"),
        Place.OWN_RUNS: ("artifacts", f"hosts/{caller}/"),
        Place.OTHER_RUNS: ("artifacts", f"hosts/{other}/"),
        Place.OTHER_KEPT: ("artifacts", f"hosts/{other}/label/"),
        Place.AUDIT: ("audit", "audit/"),
        Place.STATE: ("state", ".pulumi/"),
    }[place]


def _decisions() -> list[Decision]:
    heading, *lines = [line.split() for line in TABLE.strip().splitlines()]
    allowed = {
        (Caller(name), LETTERS[letter], Place(column))
        for name, *cells in lines
        for column, cell in zip(heading, cells, strict=True)
        for letter in cell.replace("-", "")
    }
    rows = [(caller, verb, place) for caller in Caller for verb in Verb for place in Place]
    return [Decision(*row, *where(row[0], row[2]), row in allowed) for row in rows]


DECISIONS = _decisions()
"""All of them: every caller, every verb, every place."""

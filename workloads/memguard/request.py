"""What somebody asks of the guard → a Request; and the same as the instance of a systemd unit. Pure.

    40G   40G-slab   40G-watch   40G-slab-watch-force   check

The words after the need stand in this order. An instance is one word of few letters: whoever may start the unit can say
nothing else to a program that runs as root.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SIZE = re.compile(r"([1-9][0-9]{0,4})([KMGT])")
INSTANCE = re.compile(r"(?P<need>[1-9][0-9]{0,4}[KMGT])(?P<slab>-slab)?(?P<watch>-watch)?(?P<force>-force)?")
CHECK = "check"


@dataclass(frozen=True)
class Request:
    """`need`: "40G", or empty for a check, which changes nothing. `slab`: directory entries and inodes go, too.

    `watch`: a floor of free memory is kept while the weights are read. `force`: also while a GPU job serves.
    """

    need: str = ""
    slab: bool = False
    watch: bool = False
    force: bool = False

    @property
    def need_bytes(self) -> int:
        """The need; 0 for a check."""
        return size_bytes(self.need) if self.need else 0

    @property
    def instance(self) -> str:
        """The unit's instance that asks for the same."""
        words = [word for word in ("slab", "watch", "force") if getattr(self, word)]
        return "-".join([self.need, *words]) if self.need else CHECK


def size_bytes(text: str) -> int:
    """Bytes of a size such as 40G, of 1024; raises ValueError for anything else."""
    found = SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"expected a size such as 40G (K, M, G or T, at most five digits), found {text!r}")
    return int(found[1]) * UNITS[found[2]]


def from_instance(text: str) -> Request:
    """What the unit was started for; raises ValueError for a word that is none."""
    if text == CHECK:
        return Request()
    found = INSTANCE.fullmatch(text)
    if not found:
        raise ValueError(f"expected NEED[-slab][-watch][-force] with a need such as 40G, or check, found {text!r}")
    return Request(found["need"], bool(found["slab"]), bool(found["watch"]), bool(found["force"]))

"""Fleet → what the role gpu brings for the alignment with Calypso: the fact file's text, and what makes metrics of it.

All of it comes from the description and the table alone. The live server is asked by `spark align`: what it says today
must not change what a plan says about a host.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sparkfleet.host import align, align_table
from sparkfleet.host.parts import RUNNING, Parts

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

FACT_FILE = "/etc/sparkfleet/alignment.json"
PROGRAM, PROGRAM_PATH = "sparkfleet/host/alignment_metrics.py", "/usr/local/lib/sparkfleet/alignment-metrics.py"


def alignment() -> Parts:
    """A program on a timer; also where no server is described, or is no longer: it takes an old metric away."""
    return Parts(units={"sparkfleet-alignment.timer": RUNNING}, raw={PROGRAM_PATH: PROGRAM})


def fact_file(fleet: Fleet) -> str:
    """What lies at /etc/sparkfleet/alignment.json; empty where no server is described."""
    found = expected(fleet)
    return json.dumps(found, indent=2, ensure_ascii=False) if found else ""


def expected(fleet: Fleet) -> dict[str, Any]:
    """The verdict as JSON holds it, for the checks of a host, too; empty where no server is described."""
    found = align.described(fleet, align_table.read())
    return found.as_dict() if found else {}

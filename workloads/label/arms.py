"""A document → what its items are for: held out, shown without help, or shown with a prediction. Pure.

The draw is a hash of the project and the document's content: it comes out the same on every machine, whenever a
document arrives, and all slices of a document fall together, so that none trains a model which another one judges.
"""

from __future__ import annotations

import hashlib

from workloads.label.records import Arm


def arm(project: str, document: str, test_share: float, control_share: float) -> Arm:
    """The arm of a document; of many, `test_share` are held out and `control_share` are shown without help."""
    drawn = chance(project, document)
    if drawn < test_share:
        return Arm.TEST
    return Arm.CONTROL if drawn < test_share + control_share else Arm.ASSISTED


def chance(*parts: str) -> float:
    """A number of [0, 1) that the parts determine, and that is even over many of them."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64

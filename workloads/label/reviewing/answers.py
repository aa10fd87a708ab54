"""An answer of Label Studio that is not what was asked for, or none at all → Again, or the error to end with. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workloads.errors import NodeError, ServiceError, printable
from workloads.label.patience import Again

if TYPE_CHECKING:
    from workloads.label.site import LabelStudio

UNAUTHORIZED, NOT_FOUND = 401, 404
PASSING = {408, 425, 429}  # a later try may be let through
BROKEN = 500
RENEWAL_S = 15.0  # so long a refused token may wait for its successor


def judged(status: int | None, said: Any, doing: str, at: LabelStudio) -> Exception:
    """What to raise for a status (None: nothing came) and what was said with it."""
    place = f"Label Studio at {at.url}"
    if status is None:
        return Again(_silent(f"{doing}: {place} does not answer ({printable(str(said), 80)})"))
    if status == UNAUTHORIZED:
        refused = ServiceError(
            f"{doing}: {place} does not know the token in {at.token_file}",
            usually="it expired, or somebody reset it.",
            next_step="put a new one from the account page into the file; the next run goes on where this one stopped.",
        )
        return Again(refused, within_s=RENEWAL_S)
    if status in PASSING or status >= BROKEN:
        return Again(_silent(f"{doing}: {place} answers {status}"))
    detail = said.get("validation_errors") or said.get("detail") if isinstance(said, dict) else said
    return ServiceError(f"{doing}: {place} refuses with {status}: {printable(str(detail), 200)}")


def _silent(what: str) -> NodeError:
    return ServiceError(
        what,
        usually="it is down or restarting, or its disk is full.",
        next_step="when it answers again, run the same command: what went through is found there.",
    )

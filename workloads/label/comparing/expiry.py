"""What was trained for comparisons and when it was last looked at → what is to be removed; and removes it.

The best of a comparison lives on as a candidate; what a comparison found stays in its comparison.json.
"""

from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING

from workloads.label.comparing.result import FOLDER, MODELS, comparisons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloads.label.workspace import Workspace


def expired(touched: Mapping[str, dt.datetime], keep_days: float, now: dt.datetime) -> list[str]:
    """Pure: the entries that nobody has trained or compared for so many days."""
    return sorted(name for name, at in touched.items() if now - at > dt.timedelta(days=keep_days))


def expire(work: Workspace, keep_days: float, now: dt.datetime) -> int:
    """Remove them; how many. A comparison that comes back to one trains it again, to the same weights."""
    touched = {
        folder.name: dt.datetime.fromtimestamp(folder.stat().st_mtime, dt.UTC)
        for folder in work.path(FOLDER, MODELS).glob("*")
    }
    for comparison in comparisons(work):
        for entry in comparison.entries:
            if entry.digest in touched:
                touched[entry.digest] = max(touched[entry.digest], comparison.at)
    gone = expired(touched, keep_days, now)
    for name in gone:
        shutil.rmtree(work.path(FOLDER, MODELS, name))
    return len(gone)

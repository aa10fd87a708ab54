"""The real exporter on two projects → a real Prometheus that scrapes it, with the rules of ours.

GPU utilisation, which other exporters tell, comes from a page with fixed text: `mocked`.
"""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from tests.exporters.roi.running import Running
from tests.exporters.scraped import job, page, prometheus
from workloads.label.keeping.record import Kept
from workloads.label.recurring.record import Record, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.exporters.scraped import Prometheus

MOCKED = {
    "/gb10": b'sparkfleet_gb10_gpu_utilization_ratio{gpu="0"} 0.4\n',
    "/calypso": b'nv_gpu_utilization{gpu_uuid="GPU-0"} 0.7\n',
}
# There once every target was scraped, and the rules were evaluated after it.
LAST = ("project:sparkfleet_roi_open_seconds:estimate", "nv_gpu_utilization", "sparkfleet_gb10_gpu_utilization_ratio")


def night(project: str, **changed: Any) -> Record:
    """A recurring run that was done an hour ago."""
    hour_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    done = {"state": State.DONE, "moment": hour_ago, "ended_at": hour_ago, "done_at": hour_ago}
    return Record(project=project, kind="learn", since=hour_ago, overdue_s=7200, **{**done, **changed})


def kept(project: str, **changed: Any) -> Kept:
    """Records that were kept an hour ago."""
    now = dt.datetime.now(dt.UTC)
    return Kept(project=project, since=now, kept_at=now - dt.timedelta(hours=1), **changed)


@contextmanager
def watched(folder: Path, texts: Mapping[str, str]) -> Iterator[Prometheus]:
    """Project → what its roi.json says; a Prometheus that has scraped everything."""
    with ExitStack() as running:
        exporter = Running(folder)
        running.callback(exporter.stop)
        for project, text in texts.items():
            exporter.put(project, text)
            exporter.put_run(project, "learn", night(project).model_dump_json())
            exporter.put_kept(project, kept(project).model_dump_json())
        mocked = running.enter_context(page(MOCKED))
        jobs = [job("roi", {"spark-01": exporter.port}), job("gb10", {"spark-01": mocked}, "/gb10"),
                job("calypso", {"calypso": mocked}, "/calypso")]  # fmt: skip
        found = running.enter_context(prometheus(folder, "roi", jobs))
        for last in LAST:
            assert found.answer(last), last
        yield found

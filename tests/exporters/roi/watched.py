"""The real exporter on two projects → a real Prometheus that scrapes it, with the rules of ours.

GPU utilisation, which other exporters tell, comes from a page with fixed text: `mocked`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.exporters.roi.running import Running
from tests.exporters.scraped import job, page, prometheus

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


@contextmanager
def watched(folder: Path, texts: Mapping[str, str]) -> Iterator[Prometheus]:
    """Project → what its roi.json says; a Prometheus that has scraped everything."""
    with ExitStack() as running:
        exporter = Running(folder)
        running.callback(exporter.stop)
        for project, text in texts.items():
            exporter.put(project, text)
        mocked = running.enter_context(page(MOCKED))
        jobs = [job("roi", {"spark-01": exporter.port}), job("gb10", {"spark-01": mocked}, "/gb10"),
                job("calypso", {"calypso": mocked}, "/calypso")]  # fmt: skip
        found = running.enter_context(prometheus(folder, "roi", jobs))
        for last in LAST:
            assert found.answer(last), last
        yield found

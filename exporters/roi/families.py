"""What was read of each project → metric families: its figures, and whether they could be read. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

from exporters.roi import PREFIX, VERSION
from exporters.roi.metrics import HELP, OF_FILES
from exporters.roi.readings import UnreadableError, samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from exporters.roi.readings import Sample

    Projects = Mapping[str, list[Sample] | str]


def read(texts: Mapping[str, str | OSError]) -> Projects:
    """Project → its samples, or why there are none."""
    return {name: _read(text, name) for name, text in texts.items()}


def families(projects: Projects | None) -> Iterator[Metric]:
    """All of it; a metric that no project has is left out whole. None: the workspace could not be listed."""
    yield GaugeMetricFamily(
        f"{PREFIX}_workspace_success", OF_FILES["workspace_success"], value=float(projects is not None)
    )
    success = GaugeMetricFamily(f"{PREFIX}_project_success", OF_FILES["project_success"], labels=["project"])
    made: dict[str, GaugeMetricFamily] = {}
    for name, found in (projects or {}).items():
        success.add_metric([name], float(not isinstance(found, str)))
        for one in [] if isinstance(found, str) else found:
            labels = ["project", *(label for label, _ in one.labels)]
            family = made.setdefault(
                one.metric, GaugeMetricFamily(f"{PREFIX}_{one.metric}", HELP[one.metric], labels=labels)
            )
            family.add_metric([name, *(value for _, value in one.labels)], one.value)
    if success.samples:
        yield success
    yield from (made[metric] for metric in HELP if metric in made)


def build() -> Iterator[Metric]:
    """Which exporter this is."""
    yield InfoMetricFamily(f"{PREFIX}_build", "The exporter's version.", {"version": VERSION})


def _read(text: str | OSError, project: str) -> list[Sample] | str:
    if isinstance(text, OSError):
        return str(text)
    try:
        return samples(text, project)
    except UnreadableError as error:
        return str(error)

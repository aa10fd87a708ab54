"""What was read of each project → metric families: its figures, and whether they could be read. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

from exporters.roi import PREFIX, VERSION
from exporters.roi.metrics import HELP, OF_FILES
from exporters.roi.readings import UnreadableError, kept_samples, run_samples, samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client import Metric

    from exporters.roi.readings import Sample

    Projects = Mapping[str, list[Sample] | str]


def read(
    texts: Mapping[str, str | OSError],
    recurring: Mapping[str, Iterable[str | OSError]] | None = None,
    kept: Mapping[str, str | OSError] | None = None,
) -> Projects:
    """Project → its samples, of its figures, its recurring runs and its kept records, or why there are none."""
    runs, records = recurring or {}, kept or {}
    return {
        name: _together(
            *(_read(samples, text, name) for text in ([texts[name]] if name in texts else [])),
            *(_read(run_samples, text, name) for text in runs.get(name, ())),
            *(_read(kept_samples, text, name) for text in ([records[name]] if name in records else [])),
        )
        for name in sorted({*texts, *runs, *records})
    }


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


def _together(*parts: list[Sample] | str) -> list[Sample] | str:
    """All samples, or the first fault: half a project would be a wrong one."""
    faults = [part for part in parts if isinstance(part, str)]
    return faults[0] if faults else [sample for part in parts for sample in part if not isinstance(sample, str)]


def _read(reading: Callable[[str, str], list[Sample]], text: str | OSError, project: str) -> list[Sample] | str:
    if isinstance(text, OSError):
        return str(text)
    try:
        return reading(text, project)
    except UnreadableError as error:
        return str(error)

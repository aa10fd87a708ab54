"""Files that other programs leave (*.prom) → their metrics, and for each file whether it could be used and its age."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from exporters.gb10.collectors import PREFIX, complain
from exporters.gb10.readings.textfile import names, textfile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from exporters.gb10.sources.textfiles import TextFile


def families(files: Mapping[str, TextFile]) -> Iterator[Metric]:
    """A file that cannot be used is told as such, and nothing of it; of two with one metric the first by name wins."""
    error = GaugeMetricFamily(
        f"{PREFIX}_textfile_error", "1 when nothing of the file is told, because it cannot be used.", labels=["file"]
    )
    mtime = GaugeMetricFamily(
        f"{PREFIX}_textfile_mtime_seconds", "When the file was written, in seconds since 1970.", labels=["file"]
    )
    faults = []
    owner: dict[str, str] = {}
    for name, file in files.items():
        found, fault = usable(file, owner)
        owner |= dict.fromkeys(set().union(*map(names, found)), name)
        yield from found
        error.add_metric([name], float(bool(fault)))
        if file.mtime is not None:
            mtime.add_metric([name], file.mtime)
        faults.append(fault and f"{name}: {fault[:100]}")
    yield from (family for family in (error, mtime) if family.samples)
    complain(faults)


def usable(file: TextFile, owner: Mapping[str, str]) -> tuple[list[Metric], str]:
    """The file's families, or none and why; `owner`: metric → the file that tells it already."""
    if file.text is None:
        return [], file.fault
    try:
        found = list(textfile(file.text).values())
    except Exception as error:  # noqa: BLE001  the parser's, whatever it is: the other files must be heard
        return [], str(error) or "cannot be parsed"
    doubled = next((name for name in sorted(set().union(*map(names, found))) if name in owner), None)
    return ([], f"{doubled} is also in {owner[doubled]}") if doubled else (found, "")

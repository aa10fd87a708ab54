"""DMI → one info metric: which machine this is. A stand-in of the lab has the asset tag `simulated`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import InfoMetricFamily

from exporters.gb10.collectors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric


def families(dmi: Mapping[str, str]) -> Iterator[Metric]:
    """Nothing where the machine has no DMI."""
    if dmi:
        yield InfoMetricFamily(f"{PREFIX}_machine", "Maker, model and firmware of the machine.", dict(dmi))

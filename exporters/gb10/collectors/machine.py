"""DMI, release files and driver versions → info metrics: which machine this is, and what runs on it.

A stand-in of the lab has the asset tag `simulated`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import InfoMetricFamily

from exporters.gb10.collectors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric


def families(dmi: Mapping[str, str], system: Mapping[str, str], driver: Mapping[str, str]) -> Iterator[Metric]:
    """An info metric for each that is known; what is not known has no label."""
    infos = (
        ("machine", "Maker, model and firmware of the machine.", dmi),
        ("system", "Operating system, its last update over the air, and kernel.", system),
        ("driver", "Version of the NVIDIA driver: loaded, and installed for the next start.", driver),
    )
    for name, documentation, labels in infos:
        if labels:
            yield InfoMetricFamily(f"{PREFIX}_{name}", documentation, dict(labels))

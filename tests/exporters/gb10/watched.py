"""Simulated Sparks, each in a scenario of its own → a real Prometheus that scrapes the real exporter on them.

What no exporter of ours says (blackbox probes, Alertmanager's own metrics) comes from a page with fixed text: `mocked`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from lab.gb10.player import Player
from sparkfleet.host import alignment_metrics, identity, rotation_dates
from tests.exporters.gb10.conftest import Machine
from tests.exporters.running import CHECKOUT
from tests.exporters.scraped import job, page, prometheus
from workloads.datasets import report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.exporters.scraped import Prometheus

CAP_MHZ = 2200
INTO_S = 100.0
"""How far into its scenario each machine is when it is met: kernel records, and a driver that blocks, are there."""

PRIVILEGED = CHECKOUT / "exporters/gb10/privileged.py"

# The exporter as it is, but for a state that it gives after a minute: here after three seconds.
SOONER = """\
import sys
from exporters.gb10 import states
states.WINDOW_S = 3.0
from exporters.gb10.__main__ import main
sys.exit(main(sys.argv[1:]))
"""

MOCKED = b"""\
probe_success 1
probe_duration_seconds 0.01
probe_icmp_duration_seconds{phase="rtt"} 0.001
alertmanager_notifications_total{integration="webhook"} 1
alertmanager_notifications_failed_total{integration="webhook"} 0
alertmanager_config_last_reload_successful 1
"""


@contextmanager
def watched(folder: Path, library: Path, scenarios: Sequence[str]) -> Iterator[Prometheus]:
    """A machine in each scenario, each under its scenario's name, and one that is switched off."""
    with ExitStack() as running:
        sparks = {}
        for name in scenarios:
            machine = spark(folder / name, library, name)
            running.callback(machine.stop)
            sparks[name] = machine.exporter().port
        mocked = running.enter_context(page({"/metrics": MOCKED}))
        down = {"switched-off": 9}  # port 9 (discard): nobody listens there
        probes = [job(name, dict.fromkeys(sparks, mocked)) for name in ("host_icmp", "host_ssh")]
        own = [job(name, {name: mocked}) for name in ("alertmanager", "blackbox")]
        yield running.enter_context(prometheus(folder, "gb10", [job("gb10", {**sparks, **down}), *probes, *own]))


def spark(place: Path, library: Path, scenario: str) -> Machine:
    """A machine in the scenario, with what root tells; its exporter does not run yet."""
    left = place / "textfiles"
    flags = [f"--path.privileged={place / 'privileged.json'}", f"--gpu.clock-cap={CAP_MHZ}",
             f"--collector.textfile.directory={left}"]  # fmt: skip
    machine = Machine(place, library, program=[sys.executable, "-c", SOONER, *flags])
    machine.load(scenario)
    (place / "state").mkdir()
    left.mkdir()
    for file, text in others().items():
        (left / file).write_text(text)
    begun = time.time() - INTO_S
    os.utime(place / "scenario", (begun, begun))
    Player(place).step()
    # The tools that stand in for nvme and fwupdmgr lie beside the library.
    environment = os.environ | {"PATH": f"{library}:{os.environ['PATH']}", "GB10_FOLDER": str(place)}
    paths = [f"--procfs={place / 'proc'}", f"--sysfs={place / 'sys'}", f"--kmsg={place / 'kmsg'}"]
    for more in (["--boot=begin", *paths[:1]], [f"--out={place / 'privileged.json'}", *paths]):
        command = [sys.executable, "-I", "-S", str(PRIVILEGED), f"--state={place / 'state'}", *more]
        subprocess.run(command, check=True, env=environment)
    return machine


def others() -> dict[str, str]:
    """What the other programs of a host leave for the exporter, in their own words: file → text."""
    now, template = time.time(), CHECKOUT / "templates/var/lib/sparkfleet/metrics/datasets-interval.prom.j2"
    synced = {"current": "v1", "last": {"success": True, "finished": now, "synced": now, "seconds": 1, "files": 1}}
    told = {"sets": {"instructions": synced}, "free_bytes": 2e12, "keep_free_bytes": 1e11}
    interval = template.read_text().partition("\n")[2].replace("{{ fleet.datasets.interval_s }}", "3600")
    return {
        "rotation.prom": rotation_dates.metrics({"ssh": now}, {"ssh": 90}),
        "identity.prom": identity.metrics({"host": identity.Certificate("CN=spark-01", now - 86400, now + 29 * 86400)}),
        "alignment.prom": alignment_metrics.metrics("aligned", {"release": "25.11"}),
        "datasets.prom": report.metrics(told),
        "datasets-interval.prom": interval,
    }

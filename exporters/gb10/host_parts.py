"""The host's subjects → collectors: which files feed which reading and metrics, and how often each is asked.

Asked at each scrape: only what never blocks (/proc, the clock). All else has an interval of its own: sensors behind
ACPI, devices' files, statvfs, and the root oneshot's file, which is written every 30 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.gb10.collectors import (
    boot,
    clock,
    connectx,
    filesystem,
    firmware,
    kernel_log,
    machine,
    memory,
    power,
    storage,
    thermal,
)
from exporters.gb10.parts import Part
from exporters.gb10.readings.boot import boot as boot_reading
from exporters.gb10.readings.connectx import connectx as connectx_reading
from exporters.gb10.readings.filesystem import mountpoints
from exporters.gb10.readings.firmware import components
from exporters.gb10.readings.handover import Handover, handover
from exporters.gb10.readings.kernel_log import kernel_log as kernel_log_reading
from exporters.gb10.readings.memory import memory as memory_reading
from exporters.gb10.readings.power import power as power_reading
from exporters.gb10.readings.storage import drives
from exporters.gb10.readings.system import driver, system
from exporters.gb10.readings.thermal import zone
from exporters.gb10.sources.host import boottime_s, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prometheus_client import Metric

    from exporters.gb10.sources.host import Host


def host_parts(host: Host, privileged: Path, textfile_folder: Path | None) -> dict[str, Part]:
    """The host's collectors by name; `privileged`: the root oneshot's file; without a folder no textfiles are told."""

    def told() -> Handover:
        return handover(read(privileged), boottime_s())

    def of_kernel_log() -> Iterator[Metric]:
        left = told()
        return kernel_log.families(left, kernel_log_reading(left.part("kernel_log")))

    def of_boot() -> Iterator[Metric]:
        left = told()
        return boot.families(boot_reading(host.boot(), left.part("boot")), left.error("boot"))

    def of_storage() -> Iterator[Metric]:
        left = told()
        return storage.families(drives(host.nvme(), left.part("nvme")), left.error("nvme"))

    def of_firmware() -> Iterator[Metric]:
        left = told()
        return firmware.families(components(left.part("firmware")), left.error("firmware"))

    def of_machine() -> Iterator[Metric]:
        installed = told().part("driver").get("installed")
        return machine.families(host.dmi(), system(host.system()), driver(host.driver(), installed))

    def of_clock() -> Iterator[Metric]:
        seconds, synchronized = host.clock()
        return clock.families(seconds, synchronized=synchronized)

    textfile = {"textfile": textfile_part(textfile_folder)} if textfile_folder else {}
    return {
        "memory": Part(lambda: memory.families(memory_reading(host.memory(), host.page_bytes)), same=lambda: None),
        "clock": Part(of_clock),
        "thermal": Part(lambda: thermal.families(zone(*item) for item in host.thermal_zones().items()), every_s=5),
        "power": Part(lambda: power.families(power_reading(host.power())), every_s=5),
        "connectx": Part(
            lambda: connectx.families(connectx_reading(host.connectx(), is_gb10=host.has_gb10())), every_s=15
        ),
        "storage": Part(of_storage, every_s=30),
        "filesystem": Part(lambda: filesystem.families(host.space(mountpoints(host.mounts()))), every_s=15),
        "kernel_log": Part(of_kernel_log, every_s=10),
        "boot": Part(of_boot, every_s=30),
        "firmware": Part(of_firmware, every_s=60),
        "machine": Part(of_machine, every_s=60),
        **textfile,
    }


def textfile_part(folder: Path) -> Part:
    """The collector of what other programs leave in `folder`."""
    from exporters.gb10.collectors import textfile  # late: the parser's memory is for those who use it
    from exporters.gb10.sources.textfiles import textfiles

    return Part(lambda: textfile.families(textfiles(folder)), every_s=15)

"""What a host says of its GPU, kernel and driver → values, asked for with everything else."""

from __future__ import annotations

import re
from typing import Any

from asking import answer

SET = re.compile(r"^sparkfleet_gpu_clock_cap_set_hertz (\S+)$", re.MULTILINE)
# What stands for its kind where it is not installed.
METAPACKAGES = "linux-nvidia-hwe-24.04 linux-image-nvidia-hwe-24.04 nvidia-open cuda-drivers"
FACTS = """tell() {{ printf '%s=' "$1"; head -n 1 "$2" 2>/dev/null || echo; }};
tell kernel {procfs}/sys/kernel/osrelease; tell cmdline {procfs}/cmdline; tell module {procfs}/driver/nvidia/version;
tell driver {sysfs}/module/nvidia/version; tell watchdog {sysfs}/class/watchdog/watchdog0/identity;
cat /etc/dgx-release 2>/dev/null; for d in {sysfs}/bus/pci/devices/*; do
if grep -qs 0x10de $d/vendor && grep -qs ^0x03 $d/class; then echo "gpu=10de:$(cut -c3- $d/device)"; fi; done"""


class ToldOfGpu:
    """The answers about GPU, kernel and driver."""

    wanted: dict[str, Any]

    @answer(lambda wanted: FACTS.format(procfs=wanted["procfs"], sysfs=wanted["sysfs"]))
    def combination(self, said: str) -> dict[str, str]:
        """What known issues are judged by, under the probe's names; what the host does not tell is left out."""
        rows = [line.partition("=") for line in said.splitlines() if "=" in line]
        told = {name: value.strip().strip('"') for name, _, value in rows}
        gpus = sorted({value for name, _, value in rows if name == "gpu"})
        module = told.pop("module", "")
        flavour = "open" if "Open Kernel Module" in module else "proprietary" if "Kernel Module" in module else ""
        found = {name: told.get(name, "") for name in ("kernel", "cmdline", "driver", "watchdog")}
        found |= {"driver_flavour": flavour, "gpu": " ".join(gpus)}
        found["dgx_os"] = told.get("DGX_OTA_VERSION", told.get("DGX_SWBUILD_VERSION", ""))
        return {name: value for name, value in found.items() if value}

    @answer(
        f"""LC_ALL=C apt-cache policy {METAPACKAGES} $(dpkg-query -W -f '${{Package}} ' 'linux-*nvidia*' 'nvidia-*'
        'libnvidia-*' 'cuda-drivers*' 2>/dev/null)"""
    )
    def candidates(self, said: str) -> dict[str, tuple[str, str]]:
        """Kernel and driver packages that apt knows → what is installed, and what apt would install."""
        found: dict[str, tuple[str, str]] = {}
        package = installed = ""
        for line in said.splitlines():
            if line and not line.startswith(" "):
                package = line.removesuffix(":")
            elif line.startswith("  Installed:"):
                installed = line.split()[-1]
            elif line.startswith("  Candidate:"):
                found[package] = (installed, line.split()[-1])
        return found

    @answer("nvidia-smi --query-gpu=index,clocks.sm,persistence_mode --format=csv,noheader,nounits 2>/dev/null || true")
    def gpus(self, said: str) -> list[list[str]]:
        """Index, SM clock in MHz and persistence mode of each GPU; empty when nvidia-smi fails."""
        rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines()]
        return [row for row in rows if len(row) == 3]

    @answer("cat /var/lib/sparkfleet/metrics/gpu_settings.prom 2>/dev/null || true")
    def cap_mhz(self, said: str) -> float | None:
        """The clock cap that was set last."""
        found = SET.findall(said)
        return float(found[0]) / 1e6 if found else None

    @answer("ls -d /usr/local/cuda-[0-9]* 2>/dev/null || true")
    def toolkits(self, said: str) -> list[str]:
        """The CUDA toolkits that lie side by side: "13.0"."""
        return re.findall(r"^/usr/local/cuda-([0-9]+\.[0-9]+)$", said, re.MULTILINE)

"""The mutations of the controls GPU-04 to GPU-09: kernel, driver, holds and clocks."""

from __future__ import annotations

from tests.e2e.mutation import Mutation, file

RELEASE = "/var/lib/gb10/proc/sys/kernel/osrelease"
MODULE = "/var/lib/gb10/proc/driver/nvidia/version"
METRICS = "/var/lib/sparkfleet/metrics/gpu_settings.prom"
HOLDS = "/etc/apt/preferences.d/sparkfleet-gpu"
# The unit would put it back within a minute.
STILL, BEAT = "systemctl stop sparkfleet-gpu.timer", "systemctl start sparkfleet-gpu.timer"
# A repository with a package of this name and version, and nothing in it.
STRAY, LIST = "/srv/stray-kernel", "/etc/apt/sources.list.d/stray-kernel.list"
READ = (
    f"apt-get -q update -o Dir::Etc::SourceList={LIST} -o Dir::Etc::SourceParts=/dev/null -o APT::Get::List-Cleanup=0"
)
OFFER = (
    f"mkdir -p {STRAY}; printf 'Package: linux-nvidia-hwe-24.04\\nVersion: 7.0.0-1019.19\\nArchitecture: all\\n"
    f"Maintainer: x\\nFilename: x.deb\\nSize: 1\\nDescription: x\\n' > {STRAY}/Packages; "
    f"echo 'deb [trusted=yes] copy:{STRAY} ./' > {LIST}; {READ}"
)
WITHDRAW = f"rm -rf {STRAY} {LIST} /var/lib/apt/lists/*stray-kernel*"

MUTATIONS = [
    file(
        "GPU-04",
        "the proprietary kernel modules",
        MODULE,
        "sed -i 's/Open Kernel Module/Kernel Module/' $f",
        "driver-proprietary",
    ),
    file("GPU-05", "a kernel of which nobody has told", RELEASE, "echo 6.17.0-1099-nvidia > $f", "6.17.0-1099-nvidia"),
    Mutation(
        "GPU-06",
        "apt may take the kernel that breaks RoCE",
        f"mv {HOLDS} /var/tmp/kept-holds; {OFFER}",
        f"{WITHDRAW}; mv /var/tmp/kept-holds {HOLDS}",
        "linux-nvidia-hwe-24.04 would go from (none) to 7.0.0-1019.19",
    ),
    Mutation(
        "GPU-07",
        "a driver that is unloaded when idle",
        f"{STILL}; nvidia-smi -pm 0",
        f"nvidia-smi -pm 1; {BEAT}",
        "persistence mode is off: GPU 0",
        ("BASE-12",),
    ),
    Mutation(
        "GPU-08",
        "somebody's cap of the clock",
        f"{STILL}; cp -p {METRICS} /var/tmp/kept-gpu; sed -i /^sparkfleet_gpu_clock_cap_set/d {METRICS}; "
        f"echo sparkfleet_gpu_clock_cap_set_hertz 1234000000 >> {METRICS}",
        f"mv /var/tmp/kept-gpu {METRICS}; {BEAT}",
        "set is 1234 MHz",
        ("BASE-12",),
    ),
    Mutation(
        "GPU-09",
        "a toolkit above the driver's CUDA",
        "mkdir /usr/local/cuda-99.0",
        "rmdir /usr/local/cuda-99.0",
        "toolkit 99.0 is above the driver's CUDA 13.0",
    ),
]

"""The role gpu: what a host gets, what is refused, and what a plan says of kernel and driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import config
from sparkfleet.errors import ApplyError, ConfigError
from sparkfleet.host import driver
from sparkfleet.host.checks import checks
from sparkfleet.host.desired import Desired, desired
from sparkfleet.model import Role
from tests.sparkfleet.host.conftest import description
from tests.sparkfleet.host.test_known_issues import GOOD, SEVEN

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet
    from tests.sparkfleet.host.conftest import Golden

INSTALL = {"manage": "install"}
UNITS = "/etc/systemd/system"
FILES = (
    "/etc/apt/preferences.d/sparkfleet-gpu",
    "/etc/udev/rules.d/70-sparkfleet-gpu.rules",
    f"{UNITS}/sparkfleet-gpu.service",
    f"{UNITS}/sparkfleet-gpu.timer",
)


def described(**gpu: Any) -> Fleet:
    """The fleet of the goldens; spark-01 has the role gpu too."""
    raw = description()
    raw["hosts"]["spark-01"]["roles"].append("gpu")
    return config.parse({**raw, "gpu": gpu})


def rendered(sources: Sources, **gpu: Any) -> Desired:
    """What spark-01 should be."""
    return desired(described(**gpu), "spark-01", sources)


def gpu_packages(wanted: Desired) -> set[str]:
    """The packages that the role wants of NVIDIA."""
    return {name for name in wanted.parts[Role.GPU].packages if name.startswith(("nvidia", "cuda"))}


@pytest.mark.parametrize("path", FILES)
def test_its_files_are_the_golden_ones(project_sources: Sources, golden: Golden, path: str) -> None:
    """Holds, units and udev's rule, with a cap of 2200 MHz."""
    golden.check(f"gpu{path}", rendered(project_sources, clock_cap_mhz=2200).files[path].content.decode())


def test_the_holds_are_read_after_the_vendors(project_sources: Sources) -> None:
    """Of several files apt heeds the first by name: the vendor's come first, so that ours loosens none of them."""
    ours = FILES[0].rpartition("/")[2]

    assert FILES[0] in rendered(project_sources).files
    assert all(
        ours > name for name in ("cuda-compute-repo-lowpri-1", "hpc-sdk-repo", "nvidia-dgx", "nvidia-spark-repo")
    )


def test_without_a_cap_none_is_set(project_sources: Sources) -> None:
    """The unit is there for persistence mode; its command line names no cap."""
    assert (
        "cap"
        not in rendered(project_sources)
        .files[f"{UNITS}/sparkfleet-gpu.service"]
        .content.decode()
        .split("Exec")[1]
        .splitlines()[0]
    )


@pytest.mark.parametrize(
    ("gpu", "packages"),
    [
        ({}, set()),
        ({"driver": INSTALL}, {"nvidia-driver-580-open"}),
        ({"driver": {**INSTALL, "branch": "595"}}, {"nvidia-driver-595-open"}),
        ({"cuda_toolkit": "13.0"}, {"cuda-toolkit-13-0"}),
        ({"driver": INSTALL, "cuda_toolkit": "12.9"}, {"nvidia-driver-580-open", "cuda-toolkit-12-9"}),
    ],
)
def test_packages_are_those_that_are_described(
    project_sources: Sources, gpu: dict[str, Any], packages: set[str]
) -> None:
    """Held: no driver of ours. Installed: the branch's open kernel modules. A toolkit brings no driver."""
    assert gpu_packages(rendered(project_sources, **gpu)) == packages


def test_an_install_is_refused_on_dgx_os_with_the_reason(project_sources: Sources) -> None:
    """Before anything is touched; the plan says so as well."""
    fleet = described(driver=INSTALL)
    with pytest.raises(ApplyError, match=r"DGX OS 7\.5\.0, which supports the one driver branch") as refused:
        driver.check(fleet, desired(fleet, "spark-01", project_sources), GOOD)

    assert "nothing was touched" in refused.value.what
    (told,) = [check for check in checks(fleet, GOOD, [Role.GPU]) if check.name == "driver.manage"]
    assert told.verdict == "differs"
    assert "install will be refused" in told.detail


@pytest.mark.parametrize(
    ("gpu", "host", "facts"),
    [
        ({}, "spark-01", GOOD),
        ({"driver": INSTALL}, "spark-01", {"os": "Ubuntu 24.04.3 LTS"}),
        ({"driver": INSTALL}, "spark-02", GOOD),
    ],
)
def test_nothing_is_refused_elsewhere(
    project_sources: Sources, gpu: dict[str, Any], host: str, facts: dict[str, str]
) -> None:
    """Held on DGX OS, installed on plain Ubuntu, or a host without the role."""
    fleet = described(**gpu)

    driver.check(fleet, desired(fleet, host, project_sources), facts)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (GOOD, [("known issues", "ok")]),
        (SEVEN, [("known issue K1", "differs"), ("known issue kernel-7-freezes", "warn")]),
        ({}, [("known issue unknown-combination", "unknown")]),
    ],
)
def test_a_plan_tells_the_known_issues(facts: dict[str, str], expected: list[tuple[str, str]]) -> None:
    """One check an issue, or one that there is none; a host without the role is not asked."""
    found = [(check.name, str(check.verdict)) for check in checks(described(), {"watchdog": "x", **facts}, [Role.GPU])]

    assert [check for check in found if check[0].startswith("known")] == expected
    assert not any(check.name.startswith("known") for check in checks(described(), facts, [Role.BASE]))


@pytest.mark.parametrize(
    ("gpu", "fault"),
    [
        (
            {"cuda_toolkit": "13.1"},
            "gpu.cuda_toolkit: 13.1 is above CUDA 13.0, the highest that driver branch 580 runs",
        ),
        (
            {"cuda_toolkit": "13.0", "driver": {"branch": "999"}},
            "gpu.cuda_toolkit: which CUDA driver branch 999 runs is not known; write null",
        ),
    ],
)
def test_a_toolkit_above_the_drivers_cuda_is_refused(gpu: dict[str, Any], fault: str) -> None:
    """Its PTX would not run; of a branch that nobody knows nothing is assumed."""
    with pytest.raises(ConfigError) as refused:
        described(**gpu)

    assert refused.value.faults == [fault]

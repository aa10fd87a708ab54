"""Known issues → apt's preferences, as apt itself takes them: what is not known is not installed, whoever asks."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from sparkfleet.fitness import Gpu
from sparkfleet.host import holds, known_issues
from sparkfleet.host.desired import ENVIRONMENT, FRONT
from sparkfleet.host.sources import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="apt reads its preferences itself here")

TEMPLATE = PROJECT / "templates/etc/apt/preferences.d/sparkfleet-gpu.j2"
KERNEL, DRIVER = "linux-nvidia-hwe-24.04", "nvidia-driver-580-open"
UBUNTU = "-0ubuntu0.24.04.1"
HOLD, INSTALL = {"manage": "hold"}, {"manage": "install"}


@dataclass
class Apt:
    """apt with nothing of this machine's: its repository holds packages without content."""

    root: Path

    def pin(self, kernel: str = "6.17", **driver: str) -> Apt:
        """Write the preferences of this description, as a host gets them."""
        text = ENVIRONMENT.from_string(FRONT.sub("", TEMPLATE.read_text())).render(
            holds=holds.pins(Gpu.model_validate({"driver": driver, "kernel": kernel}))
        )
        self.file("etc/preferences.d/sparkfleet-gpu", text)
        return self

    def offer(self, versions: dict[str, str]) -> Apt:
        """The repository has these versions of packages, separated by blanks."""
        records = [
            f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
            f"Maintainer: x\nFilename: x.deb\nSize: 1\nDescription: x\n"
            for name, several in versions.items()
            for version in several.split()
        ]
        repository = self.file("repository/Packages", "\n".join(records))
        self.file("etc/sources.list", f"deb [trusted=yes] copy:{repository.parent} ./\n")
        self.run("apt-get", "update")
        return self

    def have(self, versions: dict[str, str]) -> Apt:
        """These versions are installed."""
        self.file(
            "dpkg/status",
            "\n".join(
                f"Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: all\n"
                "Maintainer: x\nDescription: x\n"
                for name, version in versions.items()
            ),
        )
        return self

    def candidate(self, *packages: str) -> str:
        """What `apt-get install` would take, for all of them; "(none)" when nothing."""
        said = self.run("apt-cache", "policy", *packages).splitlines()
        found = {line.split()[1] for line in said if line.strip().startswith("Candidate:")}
        return " ".join(sorted(found))

    def upgrade(self) -> list[str]:
        """What `apt-get dist-upgrade` would do: "Inst linux-x", "Remv y"."""
        said = self.run("apt-get", "--simulate", "dist-upgrade")
        return [" ".join(line.split()[:2]) for line in said.splitlines() if line.startswith(("Inst ", "Remv "))]

    def file(self, name: str, text: str) -> Path:
        """Write a file below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *words: str) -> str:
        """Run apt on the root."""
        options = {
            "Dir::Etc": self.root / "etc",
            "Dir::State": self.root / "state",
            "Dir::State::status": self.root / "dpkg/status",
            "Dir::Cache": self.root / "cache",
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "true",
        }
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "APT_CONFIG": "/dev/null"}
        done = subprocess.run([*words, *flags], capture_output=True, text=True, check=True, env=environment)
        return done.stdout


@pytest.fixture
def apt(tmp_path: Path) -> Apt:
    """Without preferences, packages, or a repository."""
    made = Apt(tmp_path)
    for folder in ("etc/preferences.d", "etc/apt.conf.d", "etc/trusted.gpg.d", "state/lists/partial", "cache/archives"):
        (tmp_path / folder).mkdir(parents=True)
    return made.have({})


def test_a_kernel_that_is_known_to_run_is_taken(apt: Apt) -> None:
    """A newer kernel of the matrix is the candidate; newer ones of which nothing, or only ill, is told are not."""
    apt.pin(**HOLD).have({KERNEL: "6.17.0-1014.14"})
    apt.offer({KERNEL: "6.17.0-1021.21 6.17.0-1099.99 7.0.0-1019.19"})

    assert apt.candidate(KERNEL) == "6.17.0-1021.21"
    assert apt.upgrade() == [f"Inst {KERNEL}"]


def test_a_kernel_under_a_condition_comes_where_its_branch_is_described(apt: Apt) -> None:
    """Kernel 7 needs kho=off, which apt does not see: whoever describes it has upgrades check that."""
    apt.pin(kernel="7.0", **HOLD).offer({KERNEL: "6.17.0-1008.8 6.17.0-1021.21 7.0.0-1019.19 7.0.0-1020.20"})

    assert apt.candidate(KERNEL) == "7.0.0-1019.19"


def test_a_kernel_that_is_bad_without_condition_never_comes(apt: Apt) -> None:
    """Also where its branch is described, as 6.17 is."""
    apt.pin(**HOLD).offer({KERNEL: "6.17.0-1008.8"})

    assert apt.candidate(KERNEL) == "(none)"


def test_without_the_holds_apt_takes_the_trap(apt: Apt) -> None:
    """The same repository without our file: the kernel that breaks RoCE."""
    apt.have({KERNEL: "6.17.0-1014.14"}).offer({KERNEL: "6.17.0-1021.21 7.0.0-1019.19"})

    assert apt.candidate(KERNEL) == "7.0.0-1019.19"


def test_every_package_of_a_refused_kernel_is_refused(apt: Apt) -> None:
    """Image, modules, tools, by metapackage or by number."""
    packages = [
        "linux-image-7.0.0-1019-nvidia",
        "linux-image-7.0.0-1019-nvidia-64k",
        "linux-modules-nvidia-580-open-7.0.0-1019-nvidia",
        "linux-modules-nvidia-580-open-nvidia-hwe-24.04",
        "linux-tools-nvidia-hwe-24.04",
    ]
    apt.pin(**HOLD).offer(dict.fromkeys(packages, "7.0.0-1019.19"))

    assert apt.candidate(*packages) == "(none)"


@pytest.mark.parametrize(
    ("driver", "candidate"),
    [
        ({"manage": "hold", "branch": "580"}, f"580.178.04{UBUNTU}"),
        ({"manage": "install", "branch": "580"}, f"580.999.01{UBUNTU}"),
        ({"manage": "install", "branch": "570"}, "(none)"),
    ],
)
def test_the_driver_is_held_by_version_and_installed_by_branch(
    apt: Apt, driver: dict[str, str], candidate: str
) -> None:
    """Hold takes what the matrix knows; install takes its own branch whole, and nothing of another one."""
    apt.pin(**driver).offer({DRIVER: f"580.178.04{UBUNTU} 580.999.01{UBUNTU}"})

    assert apt.candidate(DRIVER) == candidate


@pytest.mark.parametrize("manage", [HOLD, INSTALL])
def test_a_version_of_which_only_ill_is_told_is_refused(
    apt: Apt, manage: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the branch is taken whole: the next older one is the candidate."""
    known = known_issues.matrix()
    issue = known.issues[0][0]
    monkeypatch.setattr(
        holds, "matrix", lambda: dataclasses.replace(known, issues=((issue, {"driver": ["580.178.04"]}),))
    )
    apt.pin(**manage).offer({DRIVER: f"580.173.02{UBUNTU} 580.178.04{UBUNTU}"})

    assert apt.candidate(DRIVER) == f"580.173.02{UBUNTU}"


@pytest.mark.parametrize("manage", [HOLD, INSTALL])
def test_another_branch_comes_by_no_name(apt: Apt, manage: dict[str, str]) -> None:
    """Neither by its own packages nor by NVIDIA's metapackages."""
    packages = ["nvidia-driver-590-open", "nvidia-open", "cuda-drivers", "libnvidia-compute-590"]
    apt.pin(**manage).offer(dict.fromkeys(packages, "590.48.01-1ubuntu1"))

    assert apt.candidate(*packages) == "(none)"


def test_other_packages_are_left_alone(apt: Apt) -> None:
    """Containers, the vendor's own, toolkits, other kernels."""
    packages = [
        "nvidia-container-toolkit",
        "libnvidia-container1",
        "nvidia-driver-pinning-580",
        "nvidia-spark-grub-kho",
        "dgx-release",
        "cuda-toolkit-13-0",
        "linux-modules-nvidia-580-open-generic-hwe-24.04",
        "linux-generic-hwe-24.04",
    ]
    apt.pin(**HOLD).offer(dict.fromkeys(packages, "1.2.3"))

    assert apt.candidate(*packages) == "1.2.3"


def test_what_runs_although_nobody_knows_it_stays(apt: Apt) -> None:
    """An installed version that the matrix lacks is neither removed nor moved to an older one that it knows."""
    apt.pin(**HOLD).have({KERNEL: "6.17.0-1099.99", DRIVER: f"580.999.01{UBUNTU}"})
    apt.offer({KERNEL: "6.17.0-1021.21", DRIVER: f"580.178.04{UBUNTU}"})

    assert apt.upgrade() == []


def test_what_the_vendor_forbids_stays_forbidden(apt: Apt) -> None:
    """The vendor's file comes before ours by name: a known version that it gives a negative priority is not taken."""
    apt.file("etc/preferences.d/nvidia-dgx", f"Package: {DRIVER}\nPin: version *\nPin-Priority: -1\n")
    apt.pin(**HOLD).offer({DRIVER: f"580.178.04{UBUNTU}"})

    assert apt.candidate(DRIVER) == "(none)"

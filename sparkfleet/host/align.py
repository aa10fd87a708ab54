"""A release of Triton, its container's variant and a driver → how far a GB10 is aligned with it, why, and what to do.

Pure. Nothing is computed from version numbers: what the table does not know is unknown, and unknown is not aligned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sparkfleet.text import printable

if TYPE_CHECKING:
    from sparkfleet.host.align_table import Row, Table
    from sparkfleet.model import Fleet

VARIANTS = "py3, vllm or trtllm"


class State(StrEnum):
    """May what runs in the server's container run on the Spark? Not: does it run well there."""

    ALIGNED = "aligned"  # the driver brings the container's CUDA itself
    FORWARD_COMPATIBLE = "forward-compatible"  # it runs by the container's compatibility libraries, with conditions
    NOT_ALIGNED = "not-aligned"
    UNKNOWN = "unknown"  # nobody has told; never taken for aligned


FIT = frozenset({State.ALIGNED, State.FORWARD_COMPATIBLE})


@dataclass(frozen=True)
class Finding:
    """What one judge said: why, and what to do about it."""

    state: State
    reason: str
    to_do: str = ""


@dataclass(frozen=True)
class Alignment:
    """The answer. `reasons`: the one that decided first; `toolkit`: the newest package to build with on the host."""

    state: State
    release: str
    variant: str
    driver: str
    reasons: tuple[str, ...]
    to_do: tuple[str, ...]
    table: str
    cuda: str = ""
    tensorrt: str = ""
    minimum_driver: str = ""
    toolkit: str = ""
    unverified: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether what the server runs may run on the host."""
        return self.state in FIT

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON holds it: in the fact file and after --json."""
        return {name: list(v) if isinstance(v, tuple) else str(v) for name, v in vars(self).items()}


def described(fleet: Fleet, table: Table) -> Alignment | None:
    """What the description alone says, so that a plan needs no server; None when no server is described."""
    if not fleet.calypso.described:
        return None
    return resolve(table, fleet.calypso.release, fleet.calypso.variant, fleet.gpu.driver.branch)


def of_server(table: Table, version: str, variant: str | None, driver: str) -> Alignment:
    """Judge a driver against the server that says it is `version`; one that the table does not know is unknown."""
    release = table.servers.get(version)
    if release:
        return resolve(table, release, variant, driver)
    said = f"the server says that it is {printable(version)!r}, which the table of {table.version} does not know"
    to_do = "add its version and its container's rows, with sources, to align_table.toml; nothing is guessed until then"
    return Alignment(State.UNKNOWN, "", variant or "", printable(driver), (said,), (to_do,), table.version)


def resolve(table: Table, release: str | None, variant: str | None, driver: str) -> Alignment:
    """Judge a driver ("580" or "580.142") against a container. Never raises; `driver` may be whatever a host said."""
    row = table.row(release, variant) if release and variant else None
    if row is None:
        found = _no_row(table, release, variant)
        return Alignment(
            found.state, release or "", variant or "", printable(driver), (found.reason,), (found.to_do,), table.version
        )
    found = next(said for judge in JUDGES if (said := judge(table, row, driver)))
    notes = _notes(table, row, driver, found.state)
    branch = table.drivers.get(_branch(driver))
    where = (row.source, table.minimum_driver_source, table.gb10.source, *((branch.source,) if branch else ()))
    return Alignment(
        state=found.state,
        release=row.release,
        variant=row.variant,
        driver=printable(driver),
        reasons=(found.reason, *(note.reason for note in notes)),
        to_do=tuple(act for act in (found.to_do, *(note.to_do for note in notes)) if act),
        table=table.version,
        cuda=row.cuda,
        tensorrt=row.tensorrt or "",
        minimum_driver=row.minimum_driver,
        toolkit=_toolkit(row.cuda, branch.cuda) if branch and found.state in FIT else "",
        unverified=row.unverified,
        sources=tuple(str(table.sources[name]) for name in dict.fromkeys(where)),
    )


def _no_row(table: Table, release: str | None, variant: str | None) -> Finding:
    """Why the table has nothing to say."""
    if not release:
        return Finding(State.UNKNOWN, "calypso.release is not described", "run `spark align`: it asks the server")
    known, end = table.releases, f"the table of {table.version}"
    if release not in known:
        newer, older = release > known[-1], release < known[0]
        place = f"newer than {end}, which ends with {known[-1]}" if newer else f"no release that {end} knows"
        place = f"older than {end}, which begins with {known[0]}" if older else place
        return Finding(
            State.UNKNOWN,
            f"{release} is {place}",
            "add its row, with its source, to align_table.toml; until then keep the server on a release that is known",
        )
    if not variant:
        return Finding(
            State.UNKNOWN,
            f"calypso.variant is not described, and a server does not tell it; the containers of {release} differ",
            f"write {VARIANTS}: the server's image is called tritonserver:{release}-py3, …-vllm-python-py3 or "
            "…-trtllm-python-py3",
        )
    return Finding(
        State.UNKNOWN,
        f"{end} knows {release}, but not what its container {printable(variant)} holds",
        "read CUDA_VERSION in the image and add the row, with its source, to align_table.toml",
    )


def _refused(_: Table, row: Row, __: str) -> Finding | None:
    if not row.refused:
        return None
    return Finding(State.NOT_ALIGNED, row.refused, "take a later release of the container")


def _too_old_for_the_gpu(table: Table, row: Row, _: str) -> Finding | None:
    gpu = table.gb10
    if _minor(row.cuda) >= _minor(gpu.minimum_cuda):
        return None
    return Finding(
        State.NOT_ALIGNED,
        f"{row.release} {row.variant} holds CUDA {row.cuda}, which has no code for a GB10 (compute capability "
        f"{gpu.compute_capability} needs CUDA {gpu.minimum_cuda})",
        f"move the server to a container with CUDA {gpu.minimum_cuda}",
    )


def _driver_is_not_the_one(table: Table, row: Row, driver: str) -> Finding | None:
    """Only a branch that the table knows, and that is not refused, is judged any further."""
    branch, supported = _branch(driver), ", ".join(b for b, found in table.drivers.items() if not found.refused)
    if not branch:
        return Finding(State.UNKNOWN, "no NVIDIA driver is loaded, or it does not tell its version", "load the driver")
    if int(branch) < int(row.minimum_driver) or int(branch) < min(map(int, table.drivers)):
        oldest = max(row.minimum_driver, min(table.drivers))
        return Finding(
            State.NOT_ALIGNED,
            f"driver {printable(driver)} is too old: CUDA {row.cuda} runs on a GB10 from branch {oldest} on",
            f"bring the host to the driver branch {supported}, by its vendor's update",
        )
    known = table.drivers.get(branch)
    if known is None:
        return Finding(
            State.UNKNOWN,
            f"the table of {table.version} does not know the driver branch {branch}",
            f"go back to {supported}, or add the branch, with its source, to align_table.toml",
        )
    if known.refused:
        return Finding(State.NOT_ALIGNED, f"driver branch {branch}: {known.refused}", f"go back to {supported}")
    return None


def _cuda(table: Table, row: Row, driver: str) -> Finding:
    """The last judge: the driver's CUDA against the container's."""
    own = table.drivers[_branch(driver)].cuda
    if _minor(row.cuda) <= _minor(own):
        return Finding(State.ALIGNED, f"CUDA {row.cuda} of the container is within the driver's own {own}")
    if _minor(row.cuda)[0] != _minor(own)[0]:
        return Finding(
            State.NOT_ALIGNED,
            f"CUDA {row.cuda} is of another major version than the driver's {own}: no compatibility spans that",
            "move the server to a container that the driver can follow",
        )
    seen = ".".join(map(str, _minor(row.cuda))) in table.gb10.compatible_seen
    told = f"{table.sources[table.gb10.compatible_source]}" if seen else "no log of it on a GB10 is known"
    return Finding(
        State.FORWARD_COMPATIBLE,
        f"CUDA {row.cuda} of the container is newer than the driver's {own}: it runs by the container's compatibility "
        f"libraries, which NVIDIA does not promise for a GB10 ({told})",
        "keep NVIDIA's entry point when you start the container: without it kernels that are compiled at run time fail "
        "with cudaErrorUnsupportedPtxVersion",
    )


Judge = Callable[["Table", "Row", str], Finding | None]
# The first that has something to say decides; the last always has.
JUDGES: tuple[Judge, ...] = (_refused, _too_old_for_the_gpu, _driver_is_not_the_one, _cuda)


def _notes(table: Table, row: Row, driver: str, state: State) -> list[Finding]:
    """What does not decide, but must be known beside the verdict."""
    said = []
    if "cuda" in row.unverified:
        said.append(
            Finding(state, f"not verified: the CUDA of {row.release} {row.variant}; {table.sources[row.source]}")
        )
    if state is State.ALIGNED and row.built_with and _older(driver, row.built_with):
        said.append(Finding(state, f"the container was built with driver {row.built_with}, which is newer"))
    if state in FIT and row.variant != "vllm":  # which holds no TensorRT
        version = f"TensorRT {row.tensorrt}" if row.tensorrt else "the container's TensorRT"
        doubt = " (that version is not verified)" if "tensorrt" in row.unverified else ""
        said.append(
            Finding(
                state,
                "a TensorRT plan runs only on the GPU, and with the TensorRT, that it was built with",
                f"rebuild TensorRT plans on the GB10 with {version}{doubt}; never copy one from the server or to it",
            )
        )
    return said


def _numbers(version: str) -> tuple[int, ...]:
    """580.95.05 → (580, 95, 5); empty for what is no version."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else ()


def _older(driver: str, other: str) -> bool:
    """Whether it is an older driver, where its whole version is known: of a described branch it is not."""
    return len(_numbers(driver)) > 1 and _numbers(driver) < _numbers(other)


def _branch(driver: str) -> str:
    """580.95.05 → 580; empty for what is no version."""
    return str(_numbers(driver)[0]) if _numbers(driver) else ""


def _minor(cuda: str) -> tuple[int, ...]:
    """13.0.2 → (13, 0): within it every CUDA runs on the same driver."""
    return _numbers(cuda)[:2]


def _toolkit(container: str, driver: str) -> str:
    """The toolkit package to build with on the host: the container's CUDA, at most the driver's."""
    major, minor = min(_minor(container), _minor(driver))
    return f"cuda-toolkit-{major}-{minor}"

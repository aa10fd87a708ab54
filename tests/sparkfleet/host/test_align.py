"""A Triton container and a driver → a verdict: properties over the whole table, and what each kind of row gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.errors import SparkfleetError
from sparkfleet.fitness.gpu import CUDA_OF_BRANCH
from sparkfleet.host import align, align_table
from sparkfleet.host.align import FIT, State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sparkfleet.host.conftest import Golden

TABLE = align_table.read()
ROWS = st.sampled_from(TABLE.rows)
BAD = [row for row in TABLE.rows if row.refused or row.cuda.startswith(("11.", "12."))]
VARIANTS = ["py3", "vllm", "trtllm"]
BRANCHES = st.sampled_from(["525", "535", "570", "575", "580", "590", "595", "610", "700"])
DRIVERS = st.builds(
    lambda branch, rest: ".".join([branch, *rest]),
    BRANCHES,
    st.lists(st.from_regex(r"[0-9]{1,3}", fullmatch=True), max_size=2),
)
SUPPORTED = st.builds(
    lambda rest: ".".join(["580", *rest]), st.lists(st.from_regex(r"[0-9]{1,3}", fullmatch=True), max_size=2)
)


@given(
    st.none() | st.text() | st.from_regex(r"[0-9]{2}\.[0-9]{2}", fullmatch=True),
    st.none() | st.sampled_from(VARIANTS) | st.text(),
    st.text() | DRIVERS,
)
def test_only_what_the_table_knows_is_ever_fit(release: str | None, variant: str | None, driver: str) -> None:
    """Whatever is asked gets an answer; a fit one has a row that nothing speaks against, and a driver that is known."""
    found = align.resolve(TABLE, release, variant, driver)

    assert found.reasons
    assert json.loads(json.dumps(found.as_dict()))["state"] == found.state
    if found.fits:
        row = TABLE.row(str(release), str(variant))
        assert row
        assert row not in BAD
        assert not TABLE.drivers[str(int(driver.partition(".")[0]))].refused
        assert found.sources
    else:
        assert found.to_do


@given(st.from_regex(r"[0-9]{2}\.[0-9]{2}", fullmatch=True), st.sampled_from(VARIANTS), DRIVERS)
def test_a_release_without_a_row_is_unknown(release: str, variant: str, driver: str) -> None:
    """Also one between two that are known: nothing is computed from its neighbours."""
    found = align.resolve(TABLE, release, variant, driver)

    assert (found.state is State.UNKNOWN) or TABLE.row(release, variant)


@pytest.mark.parametrize("row", BAD, ids=lambda row: f"{row.release} {row.variant}")
def test_each_known_bad_row_refuses(row: align_table.Row) -> None:
    """With every driver that the table knows, and with none."""
    for driver in (*TABLE.drivers, "580.178.04", "575.57.08"):
        assert align.resolve(TABLE, row.release, row.variant, driver).state is State.NOT_ALIGNED
    assert align.resolve(TABLE, row.release, row.variant, "").state not in FIT


@given(ROWS, SUPPORTED, SUPPORTED)
def test_every_driver_of_a_branch_gets_the_same_verdict(row: align_table.Row, one: str, other: str) -> None:
    """NVIDIA promises by branch; a verdict about the described branch is one about each of its drivers."""
    first, second = (align.resolve(TABLE, row.release, row.variant, driver) for driver in (one, other))

    assert first.state == second.state == align.resolve(TABLE, row.release, row.variant, "580").state


@given(ROWS, DRIVERS)
def test_no_toolkit_is_above_the_drivers_cuda(row: align_table.Row, driver: str) -> None:
    """A newer one would compile what the driver cannot load."""
    toolkit = align.resolve(TABLE, row.release, row.variant, driver).toolkit

    assert toolkit in {"", "cuda-toolkit-13-0"}


def test_every_verdict_of_the_table(golden: Golden) -> None:
    """For driver 580, row by row: who changes the table or the rules reads here what follows."""
    lines = []
    for row in TABLE.rows:
        state = align.resolve(TABLE, row.release, row.variant, "580").state
        doubt = f" (not verified: {', '.join(row.unverified)})" if row.unverified else ""
        lines.append(f"{row.release} {row.variant:6} CUDA {row.cuda:10} {state}{doubt}")

    golden.check("alignment.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("release", "variant", "driver", "state", "words"),
    [
        ("27.01", "py3", "580", State.UNKNOWN, "27.01 is newer than the table of"),
        ("23.10", "py3", "580", State.UNKNOWN, "23.10 is older than the table of"),
        ("26.09", "py3", "580", State.UNKNOWN, "knows 26.09, but not what its container py3 holds"),
        ("25.11", None, "580", State.UNKNOWN, "calypso.variant is not described, and a server does not tell it"),
        (None, "py3", "580", State.UNKNOWN, "calypso.release is not described"),
        ("25.11", "vllm", "", State.UNKNOWN, "no NVIDIA driver is loaded"),
        ("25.11", "vllm", "\x1b[31m580", State.UNKNOWN, "does not tell its version"),
        ("25.11", "vllm", "610.43.02", State.UNKNOWN, "does not know the driver branch 610"),
        ("25.11", "vllm", "590.44.01", State.NOT_ALIGNED, "CUDA graphs were reported to dead-lock"),
        ("25.11", "vllm", "575.57.08", State.NOT_ALIGNED, "CUDA 13.0.2.006 runs on a GB10 from branch 580 on"),
        ("25.10", "trtllm", "580", State.NOT_ALIGNED, "holds CUDA 12.9.1.010, which has no code for a GB10"),
        ("25.08", "py3", "580", State.NOT_ALIGNED, "NVIDIA's floor for containers on a Spark is 25.09"),
        ("26.02", "trtllm", "580", State.ALIGNED, "CUDA 13.0.2.006 of the container is within the driver's own 13.0"),
        ("26.02", "vllm", "580", State.FORWARD_COMPATIBLE, "NVIDIA does not promise for a GB10 (reported by owners"),
        ("26.06", "vllm", "580", State.FORWARD_COMPATIBLE, "no log of it on a GB10 is known"),
    ],
)  # fmt: skip
def test_the_first_reason_says_what_decided(
    release: str | None, variant: str | None, driver: str, state: State, words: str
) -> None:
    """Each way to a verdict, with the words that lead there."""
    found = align.resolve(TABLE, release, variant, driver)

    assert found.state is state
    assert words in found.reasons[0]
    assert "\x1b" not in json.dumps(found.as_dict(), ensure_ascii=False)


def test_what_was_not_read_at_a_source_is_marked() -> None:
    """The verdict stands, and says on what it stands."""
    found = align.resolve(TABLE, "25.11", "py3", "580")

    assert found.unverified == ("cuda", "tensorrt")
    assert any(reason.startswith("not verified: the CUDA of 25.11 py3; the vllm container") for reason in found.reasons)
    assert any("rebuild TensorRT plans on the GB10" in act and "not verified" in act for act in found.to_do)


@pytest.mark.parametrize(("version", "release"), [("2.59.0", "25.06"), ("2.59.1", "25.07"), ("2.63.0", "25.11")])
def test_a_servers_version_is_looked_up(version: str, release: str) -> None:
    """25.07 was a patch of 25.06: no arithmetic finds it."""
    assert align.of_server(TABLE, version, "vllm", "580").release == release


@given(st.text() | st.from_regex(r"2\.[0-9]{1,3}\.[0-9]", fullmatch=True))
def test_a_server_that_the_table_does_not_know_is_unknown(version: str) -> None:
    """Whatever it says of itself; its words are fit to be shown."""
    found = align.of_server(TABLE, version, "py3", "580")

    assert (found.state is State.UNKNOWN and not found.release) or version in TABLE.servers
    assert all(character.isprintable() for character in found.reasons[0])


@pytest.mark.parametrize(
    ("text", "replaced", "words"),
    [
        ('source = "porting"', 'source = "hearsay"', "no source is called hearsay"),
        ('cuda = "13.0.2.006"', 'cuda = "13"', "a CUDA version"),
        ('variant = "trtllm"', 'variant = "vllm"', "vllm stands twice"),
        ("minimum_cuda", "minimal_cuda", "minimal_cuda"),
        ("[containers]", "[boxes]", "containers"),
    ],
)
def test_a_faulty_table_is_refused(tmp_path: Path, text: str, replaced: str, words: str) -> None:
    """Before anything is judged by it."""
    whole = align_table.FILE.read_text()
    assert text in whole
    (tmp_path / "table.toml").write_text(whole.replace(text, replaced))

    with pytest.raises(SparkfleetError, match="is not the table") as refused:
        align_table.read(tmp_path / "table.toml")

    assert words in str(refused.value)


def test_every_source_is_one_of_something() -> None:
    """And every row has one, with the day on which it was read."""
    used = {row.source for row in TABLE.rows} | {driver.source for driver in TABLE.drivers.values()}
    used |= {TABLE.gb10.source, TABLE.gb10.compatible_source, TABLE.servers_source, TABLE.minimum_driver_source}

    assert used == set(TABLE.sources)


def test_a_branchs_cuda_is_the_same_in_both_places() -> None:
    """The description's limit for toolkits and the table's for containers are one fact."""
    assert {branch: driver.cuda for branch, driver in TABLE.drivers.items()}.items() <= CUDA_OF_BRANCH.items()

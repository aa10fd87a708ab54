"""`spark align` against servers that speak Triton's protocol → what it prints and the code that it ends with."""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sparkfleet import cli
from sparkfleet.errors import UnreachableError
from sparkfleet.host import align_live
from sparkfleet.host.observe import Observed
from tests.sparkfleet.triton_server import Triton, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Align = Callable[..., tuple[int, str, str]]

DRIVERS: dict[str, str | Exception] = {"spark-01": "580.95.05", "spark-02": "580.142"}
SECRET = "not-for-the-screen"


@pytest.fixture
def align(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Align:
    """Run it for two hosts, whose drivers and description are given: exit code, stdout, stderr."""
    whole = cli.Project
    monkeypatch.setattr(cli, "Project", lambda stack: whole(stack, tmp_path))
    monkeypatch.setenv("PULUMI_STACK", "office")
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str, drivers: Mapping[str, str | Exception] = DRIVERS, **calypso: Any) -> tuple[int, str, str]:
        hosts = {name: {"addresses": [f"192.0.2.{n}"], "roles": ["gpu"]} for n, name in enumerate(DRIVERS, 1)}
        config = {"fleet": "office", "controller": {"folder": "kept"}, "hosts": hosts, "calypso": calypso}
        text = yaml.safe_dump({"config": {f"sparkfleet:{name}": value for name, value in config.items()}})
        (tmp_path / "Pulumi.office.yaml").write_text(text)

        def observe(target: Any, *_: Any, **__: Any) -> Observed:
            found = drivers[target.name]
            if isinstance(found, Exception):
                raise found
            return Observed({}, {"driver": found} if found else {}, "192.0.2.1")

        monkeypatch.setattr(align_live, "observe", observe)
        monkeypatch.setattr(sys, "argv", ["spark", "align", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, said.out, said.err

    return run


def states(text: str) -> dict[str, str]:
    """The verdict of each host in a JSON document."""
    return {name: one.get("state", one.get("error", "")) for name, one in json.loads(text)["hosts"].items()}


def test_every_host_is_judged_by_its_own_driver(align: Align) -> None:
    """One that runs another branch is found, and named in the code."""
    with running(Triton("2.63.0")) as triton:
        described = {"url": triton.url, "release": "25.11", "variant": "vllm"}
        fine = align("--json", **described)
        one_off = align("--json", drivers={**DRIVERS, "spark-02": "590.44.01"}, **described)
        bare = align("--json", drivers={**DRIVERS, "spark-02": ""}, **described)

    assert (fine[0], states(fine[1])) == (0, {"spark-01": "aligned", "spark-02": "aligned"})
    assert (one_off[0], states(one_off[1])) == (15, {"spark-01": "aligned", "spark-02": "not-aligned"})
    assert "1 of 2 hosts: not-aligned: driver branch 590" in one_off[2]
    assert (bare[0], states(bare[1])["spark-02"]) == (15, "unknown")


@pytest.mark.parametrize("version", ["2.99.0", "2.59.2", "3.0.0", "", "\x1b]0;title\x07", "9" * 5000])
def test_a_server_that_nobody_knows_is_unknown(align: Align, version: str) -> None:
    """Newer, in between or hostile: the described release is not believed instead."""
    with running(Triton(version)) as triton:
        code, out, err = align(url=triton.url, release="25.11", variant="vllm")

    assert code == 15
    assert out.count("unknown") >= 2
    assert "aligned " not in out
    assert "does not know" in err
    assert all(character.isprintable() or character == "\n" for character in out + err)


def test_a_server_that_was_moved_is_told(align: Align) -> None:
    """What it runs now decides, and the line to write is named."""
    with running(Triton("2.66.0")) as triton:
        code, out, err = align(url=triton.url, release="25.11", variant="vllm")
        undescribed = align(url=triton.url, variant="vllm")

    assert code == undescribed[0] == 15
    assert "release 26.02 (the server's), variant vllm: CUDA 13.1.1.006" in out
    assert out.count("forward-compatible") == 2
    assert 'write calypso.release: "26.02", or put the server back' in err
    assert 'write calypso.release: "26.02" into the description' in undescribed[2]


def test_without_a_variant_nothing_is_guessed(align: Align) -> None:
    """The server's answer cannot fill it in."""
    with running(Triton("2.63.0")) as triton:
        code, _, err = align(url=triton.url, release="25.11")

    assert code == 15
    assert "calypso.variant is not described, and a server does not tell it" in err


def test_a_move_can_be_judged_beforehand(align: Align) -> None:
    """Without asking the server, which is what it is; offline without asking anybody."""
    nowhere = {"url": "http://192.0.2.9:8001", "release": "25.11", "variant": "vllm"}

    assert align("--release", "26.02", **nowhere)[0] == 0
    assert align("--release", "24.10", "--offline", **nowhere)[0] == 15
    assert align("--release", "25.10", "--variant", "trtllm", "--offline")[0] == 15


@pytest.mark.parametrize("release", ["25.11-py3", "abc", "2511"])
def test_a_word_that_is_no_release_is_a_matter_of_usage(align: Align, release: str) -> None:
    """It is not called newer than the table."""
    code, _, err = align("--release", release)

    assert (code, "is no release" in err) == (2, True)


def test_a_restricted_server_is_opened_by_reference(align: Align, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is sent and shown nowhere; without it, or with another, the way to mend it is named."""
    monkeypatch.setenv("CALYPSO", SECRET)
    with running(Triton("2.63.0", header=("triton-grpc-protocol-admin-key", SECRET))) as triton:
        described = {"url": triton.url, "release": "25.11", "variant": "vllm"}
        opened = align(**described, restricted={"key": "admin-key", "value": "env:CALYPSO"})
        shut = align(**described)
        triton.header = ("triton-grpc-protocol-admin-key", "another")
        wrong = align(**described, restricted={"key": "admin-key", "value": "env:CALYPSO"})
        monkeypatch.setenv("CALYPSO", f"{SECRET}\nsecond line")
        unfit = align(**described, restricted={"key": "admin-key", "value": "env:CALYPSO"})

    assert (opened[0], shut[0], wrong[0], unfit[0]) == (0, 4, 4, 4)
    assert "Next: write its key and a reference to its value as calypso.restricted" in shut[2]
    assert "you sent …" in wrong[2]
    assert "it is no line of ASCII text" in unfit[2]
    assert SECRET not in "".join(map(str, (*opened, *shut, *wrong, *unfit)))


def test_a_reference_is_relative_to_the_description(align: Align, tmp_path: Path) -> None:
    """And the secret itself in its place is refused without being shown."""
    (tmp_path / "value").write_text(SECRET + "\n")
    with running(Triton("2.63.0", header=("triton-grpc-protocol-admin-key", SECRET))) as triton:
        described = {"url": triton.url, "release": "25.11", "variant": "vllm"}
        opened = align(**described, restricted={"key": "admin-key", "value": "file:value"})
        bare = align(**described, restricted={"key": "admin-key", "value": SECRET})

    assert (opened[0], bare[0]) == (0, 3)
    assert "calypso.restricted.value" in bare[2]
    assert SECRET not in bare[2]


@pytest.mark.parametrize(
    "url", ["calypso:8001", "http://calypso", "http://robot:pass@calypso:8001", "grpc://calypso:8001"]
)
def test_an_address_has_one_form(align: Align, url: str) -> None:
    """A port is part of it, a password never."""
    code, _, err = align(url=url)

    assert code == 3
    assert "calypso.url: expected a gRPC endpoint" in err


def test_who_does_not_answer_hides_nobody(align: Align) -> None:
    """The others are judged by the description, and the code is that of an unreachable host."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        drivers = {**DRIVERS, "spark-01": UnreachableError("spark-01 does not answer.")}
        code, out, err = align("--json", drivers=drivers, url=url, release="25.11", variant="vllm")
        text = align(drivers=drivers, url=url, release="25.11", variant="vllm")

    assert (code, err) == (4, "")
    assert states(out) == {"spark-01": "spark-01 does not answer.", "spark-02": "aligned"}
    assert json.loads(out)["server"]["exit_code"] == 4
    assert "spark: spark-01 does not answer." in text[2]
    assert "gRPC has 8001" in text[2]


def test_an_answer_without_end_is_refused(align: Align) -> None:
    """Whoever listens there cannot fill this machine's memory."""
    with running(Triton("2.63.0", extensions=("x" * 1000,) * 2000)) as triton:
        code, _, err = align(url=triton.url, release="25.11", variant="vllm")

    assert code == 4
    assert "RESOURCE_EXHAUSTED" in err


def test_nothing_described_is_a_fault_of_the_description(align: Align) -> None:
    """It names the line that is missing."""
    code, _, err = align()

    assert code == 3
    assert "calypso.release: missing" in err

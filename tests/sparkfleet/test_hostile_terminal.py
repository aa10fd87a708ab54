"""The real `spark` on a real terminal, with hosts that were taken over → words and colours on it, and nothing else."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import paramiko
import pytest

from sparkfleet.host import keyring
from sparkfleet.model import Controller
from tests.sparkfleet.hostile import POISON, asked, assert_only_words, harmless, on_a_terminal, says
from tests.sparkfleet.ssh_server import Server
from tests.sparkfleet.told import HOSTS, Api, alert, fleet, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MOST_S = 30.0
STACK = """\
config:
  sparkfleet:fleet: office
  sparkfleet:controller: {{folder: kept, connect_timeout_s: 2}}
  sparkfleet:hosts:
    spark-01: {{addresses: [127.0.0.1], port: {port}, roles: [exporter]}}
"""
# An account, a file, a comment, options, a note, a type of key: everything that `spark adopt` repeats.
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIIV23Q2hhN+kpuz4qxdlTunr5he+SFuQpNmArKwO/Y61"
LINE = f'command="{POISON}" ssh-ed25519 {KEY} {POISON}'.replace("\n", " ")
ADOPTION: dict[str, dict[str, Any]] = {
    "install": {"changed": [POISON], "sshd": {POISON: POISON}},
    "survey": {
        "files": {f"/home/{POISON}": {"user": POISON, "lines": [LINE, POISON]}},
        "notes": [POISON],
        "sudoers": [POISON],
        "machine_id": POISON,
        "record": {"kept_keys": []},
    },
    "drop": {"changed": [POISON]},
    "record": {"changed": [POISON]},
}


@pytest.fixture
def server() -> Iterator[Server]:
    """A host that was taken over."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def project(server: Server, tmp_path: Path) -> Path:
    """A project with that host, adopted before."""
    (tmp_path / "Pulumi.office.yaml").write_text(STACK.format(port=server.port))
    controller = Controller(folder=tmp_path / "kept")
    keyring.ensure_key_pair(controller, "office")
    keyring.pin_host(controller, "spark-01", keyring.PublicKey(server.key.get_name(), server.key.get_base64()))
    server.accepted.append(paramiko.Ed25519Key.from_private_key_file(str(controller.private_key)))
    return tmp_path


def lies(server: Server, answer: Callable[[dict[str, Any]], str]) -> None:
    """Answer each script with what `answer` makes of the request in it; the lock is taken over; the rest succeeds."""

    def say(channel: paramiko.Channel, command: str) -> None:
        with contextlib.suppress(OSError, EOFError):
            if "buffer.read(" in command:
                stale = {"purpose": POISON, "who": POISON}
                channel.sendall(json.dumps({"held": True, "stale": stale}).encode() + b"\n")
                while (data := channel.recv(65536)) and b"done\n" not in data:
                    pass
            elif "json.loads('" in (script := channel.makefile("rb").read().decode()):
                channel.sendall(answer(asked(script)).encode())
            channel.sendall_stderr(POISON.encode())
            channel.send_exit_status(0)
            channel.close()

    server.answer = say


def test_spark_plan_shows_poisoned_values_as_words(server: Server, project: Path) -> None:
    """Every setting and every fact steers a terminal: a long table, in colour, and no more."""
    facts = dict.fromkeys(["machine_id", "os", "kernel", "board", "dgx_os", "driver"], POISON)
    lies(server, lambda request: json.dumps({"settings": dict.fromkeys(request["settings"], POISON), "facts": facts}))

    with harmless(project, MOST_S):
        code, said = on_a_terminal(project, "plan")

    assert code == 0
    assert "to change" in said
    assert "owned" in said  # it is shown, as a word
    assert_only_words(said)


@pytest.mark.parametrize(
    "stdout", [b"", POISON.encode(), b"[" * 100_000, b"\xff" * 1000, b'{"settings": {"' + b"x" * 9_000_000]
)
def test_spark_plan_refuses_an_answer_that_is_none(stdout: bytes, server: Server, project: Path) -> None:
    """Malformed, deep, huge, no text: the host is told as not observed, with the code of a failure."""
    says(server, stdout, stderr=POISON.encode())

    with harmless(project, MOST_S):
        code, said = on_a_terminal(project, "plan")

    assert code in {1, 4}
    assert "not observed" in said
    assert_only_words(said)


def test_spark_plan_refuses_paths_that_climb(server: Server, project: Path) -> None:
    """And touches none of them."""
    keys = {f"file:{'../' * 20}{project}/stolen": "x", f"file:{project}/stolen": POISON}
    lies(server, lambda request: json.dumps({"settings": {**request["settings"], **keys}, "facts": {}}))

    with harmless(project, MOST_S):
        code, said = on_a_terminal(project, "plan")

    assert code == 1
    assert "nobody asked for" in said
    assert_only_words(said)


def test_spark_adopt_repeats_poison_as_words(server: Server, project: Path) -> None:
    """The listing of keys, what changed, notes, the machine's id, and the lines to paste into the description."""
    lies(server, lambda request: json.dumps(ADOPTION[request["do"]]))

    with harmless(project, MOST_S):
        code, said = on_a_terminal(project, "adopt", "spark-01", "--keys", "keep")

    assert code == 0
    assert "is adopted" in said
    assert "took over from" in said
    assert "SHA256:" in said
    assert_only_words(said.replace("\u2192", ""))


def test_spark_adopt_tells_a_poisoned_failure_as_words(server: Server, project: Path) -> None:
    """A step's error is quoted, harmless."""
    lies(server, lambda _: json.dumps({"error": POISON}))

    with harmless(project, MOST_S):
        code, said = on_a_terminal(project, "adopt", "spark-01", "--keys", "keep")

    assert code == 7
    assert "could not do the step 'install'" in said
    assert_only_words(said)


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_spark_status_shows_a_poisoned_monitor_as_words(how: list[str], project: Path) -> None:
    """Labels, states, alerts and annotations of a Prometheus whose host was taken over."""
    host = HOSTS[0]
    poisoned = [
        sample(host, "gpu_low_power_state", 1, gpu="0", state=POISON),
        sample(host, "gpu_info", 1, gpu="0", name=POISON, driver=POISON),
        sample(host, "gpu_process_memory_bytes", 9e9, gpu="0", process=POISON, unit=POISON),
        sample(host, "thermal_zone_celsius", 99.0, zone="9", type=POISON, name=POISON),
        sample(host, "machine_info", 1, chassis_asset_tag=POISON, product_name=POISON),
        *[s for s in fleet().samples if s.labels["instance"] == host and s.name.endswith(("up", "bytes"))],
    ]
    rule = alert(POISON, host, POISON, POISON, summary=POISON, runbook_url=POISON)

    def tell(path: str, form: dict[str, str]) -> Any:
        if path.endswith("rules"):
            one = rule.alerts[0]
            told = {"state": one.state, "labels": one.labels, "annotations": one.annotations, "activeAt": POISON}
            groups = [{"rules": [{"name": rule.name, "query": POISON, "alerts": [told]}]}]
            return {"status": "success", "data": {"groups": groups}}
        found = poisoned if "__name__" in form.get("query", "") else [sample(host, "up", poisoned[0].at_s)]
        result = [{"metric": dict(s.labels), "value": [s.at_s, str(s.value)]} for s in found]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}

    with Api(tell) as api, harmless(project, MOST_S):
        code, said = on_a_terminal(project, "status", "--url", api.url, *how)

    assert code == 0
    assert "spark-01" in said
    assert_only_words(said)


@pytest.mark.parametrize("body", [b"", POISON.encode(), b'{"status": "success"}', b'{"status": "error", "error": 7}'])
def test_spark_status_tells_a_monitor_that_is_none(body: bytes, project: Path) -> None:
    """Something else answers where Prometheus should: an error, its words harmless."""
    with Api(lambda *_: (200, body)) as api, harmless(project, MOST_S):
        code, said = on_a_terminal(project, "status", "--url", api.url)

    assert code == 4
    assert_only_words(said)

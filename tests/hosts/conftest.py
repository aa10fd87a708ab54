"""The request that `spark verify` wrote → checks on one live host → the report that it reads back.

Folder = role, file = subject, function = claim; a check's docstring is the requirement and how it is checked. A failed
check with a waiver in force counts as waived; one with an expired waiver fails.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import testinfra
from asking import LostError
from machine import Machine

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

PACK = Path(__file__).parent
REQUEST_VARIABLE = "SPARKFLEET_VERIFY_REQUEST"
MOST_DETAIL = 2000  # characters; evidence beyond that hides more than it shows
MOST_MEMORY, MOST_FILE = 1 << 30, 64 << 20  # bytes, of this process and each ssh that it starts
REQUEST: dict[str, Any] = json.loads(Path(os.environ[REQUEST_VARIABLE]).read_text())
WANTED: dict[str, Any] = REQUEST["wanted"]

HOST_LOST = 90  # how this process ends when the host could not be asked at all

REPORT: dict[str, Any] = {"verdicts": []}


def pytest_configure() -> None:
    """A host that answers without end gets a failed check, not this machine's memory or disk."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE, MOST_FILE))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Kernel settings are checked once for each setting."""
    if "sysctl" in metafunc.fixturenames:
        metafunc.parametrize("sysctl", WANTED["sysctls"])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out checks of roles that the host does not have; every check must say what it is."""
    here: list[pytest.Item] = []
    elsewhere: list[pytest.Item] = []
    for item in items:
        control(item)
        (here if item.path.parent.name in WANTED["roles"] else elsewhere).append(item)
    items[:] = here
    config.hook.pytest_deselected(items=elsewhere)


def control(item: pytest.Item) -> dict[str, str]:
    """A check's id, severity and source; a check without them is a mistake of the pack."""
    marker = item.get_closest_marker("control")
    words = {word: str(marker.kwargs.get(word, "")) for word in ("id", "severity", "source")} if marker else {}
    if not words or not all(words.values()):
        raise pytest.UsageError(f"{item.nodeid} has no control(id=…, severity=…, source=…)")
    return words


def control_id(item: pytest.Item) -> str:
    """ACCESS-01; for a kernel setting BASE-04/net.ipv4.conf.all.rp_filter."""
    found = getattr(item, "callspec", None)
    subject = str(found.params.get("sysctl", "")) if found else ""
    return control(item)["id"] + (f"/{subject}" if subject else "")


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """The host of the request; the first question opens its connection, the end of the session closes it."""
    name, config = REQUEST["host"], REQUEST["ssh_config"]
    host = Machine(
        name, WANTED, testinfra.get_host(f"ssh://{name}", ssh_config=config, sudo=True), config, REQUEST["old_key"]
    )
    try:
        host.answers  # noqa: B018  (asks)
    except LostError as error:
        REPORT["lost"] = str(error)
        pytest.exit(f"{name}: {error}", returncode=HOST_LOST)
    yield host
    subprocess.run(["ssh", "-F", config, "-O", "exit", name], capture_output=True, check=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Apply the waiver, and note the verdict of the phase that decided."""
    report = yield
    waiver = WANTED["waivers"].get(control_id(item)) or WANTED["waivers"].get(control(item)["id"]) or {}
    detail, outcome = evidence(item, call), str(report.outcome)
    if report.failed and waiver and not waiver["expired"]:
        outcome = "waived"
        detail = f"{detail}\nwaived until {waiver['until']}: {waiver['reason']}"
    elif report.failed and waiver:
        detail = f"{detail}\nits waiver expired on {waiver['until']}: {waiver['reason']}"
    elif report.passed and waiver:
        detail = f"{detail}\nits waiver is no longer needed".strip()
    if call.when == "call" or (call.when == "setup" and not report.passed):
        title = str(getattr(item, "function", item).__doc__ or item.name).strip().splitlines()[0]
        words = {"host": REQUEST["host"], **control(item), "id": control_id(item), "title": title}
        REPORT["verdicts"].append({**words, "outcome": outcome, "detail": detail, "seconds": round(report.duration, 3)})
    return report


def evidence(item: pytest.Item, call: pytest.CallInfo[None]) -> str:
    """The words a check failed or was skipped with, without pytest's own; those that it recorded when it passed."""
    if call.excinfo is None:
        return "\n".join(str(value) for name, value in item.user_properties if name == "evidence")
    words = str(call.excinfo.value)
    if not isinstance(call.excinfo.value, AssertionError | pytest.skip.Exception):
        words = f"{call.excinfo.typename}: {words}"
    return words[:MOST_DETAIL]


def pytest_sessionfinish() -> None:
    """Leave the report where `spark verify` looks for it."""
    Path(REQUEST["report"]).write_text(json.dumps(REPORT))

"""The request that `spark verify` wrote → checks on live hosts → the report that it reads back.

Folder = role, file = subject, function = claim; a check's docstring is the requirement. Each check runs once for each
host that has the role. A failed check with a waiver in force counts as waived; one with an expired waiver fails.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import testinfra
from machine import Machine

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

PACK = Path(__file__).parent
REQUEST_VARIABLE = "SPARKFLEET_VERIFY_REQUEST"
MOST_DETAIL = 2000  # characters; evidence beyond that hides more than it shows
REQUEST: dict[str, Any] = json.loads(Path(os.environ[REQUEST_VARIABLE]).read_text())
HOSTS: dict[str, dict[str, Any]] = REQUEST["hosts"]

known: set[str] = set()  # every id of the pack, also of roles that no host has
verdicts: list[dict[str, str]] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Once for each host that has the folder's role; kernel settings once for each setting as well."""
    role = metafunc.definition.path.parent.name
    names = [name for name, wanted in HOSTS.items() if role in wanted["roles"]]
    if "sysctl" in metafunc.fixturenames:
        pairs = [(name, key) for name in names for key in HOSTS[name]["sysctls"]]
        ids = [f"{name}-{key}" for name, key in pairs]
        metafunc.parametrize(("machine", "sysctl"), pairs, indirect=["machine"], ids=ids)
    elif "machine" in metafunc.fixturenames:
        metafunc.parametrize("machine", names, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note every id; leave out checks of roles that nobody has; put id and severity into JUnit."""
    here: list[pytest.Item] = []
    elsewhere: list[pytest.Item] = []
    for item in items:
        known.add(control_id(item))
        item.user_properties += [("control", control_id(item)), ("severity", control(item)["severity"])]
        (here if host_of(item) in HOSTS else elsewhere).append(item)
    items[:] = here
    config.hook.pytest_deselected(items=elsewhere)


def control(item: pytest.Item) -> dict[str, str]:
    """A check's id and severity; a check without them is a mistake of the pack."""
    marker = item.get_closest_marker("control")
    if marker is None:
        raise pytest.UsageError(f"{item.nodeid} has no control(id=…, severity=…)")
    return {"id": str(marker.kwargs["id"]), "severity": str(marker.kwargs["severity"])}


def parameter(item: pytest.Item, name: str) -> str:
    """A parameter of this run of the check, empty when it has none."""
    found = getattr(item, "callspec", None)
    return str(found.params.get(name, "")) if found else ""


def host_of(item: pytest.Item) -> str:
    """The host that is checked."""
    return parameter(item, "machine")


def control_id(item: pytest.Item) -> str:
    """ACCESS-01; for a kernel setting BASE-04/net.ipv4.conf.all.rp_filter."""
    subject = parameter(item, "sysctl") if host_of(item) in HOSTS else ""
    return control(item)["id"] + (f"/{subject}" if subject else "")


@pytest.fixture(scope="session")
def machines() -> Iterator[dict[str, Machine]]:
    """Every host of the request; the first question opens its connection, the end of the session closes it."""
    config = REQUEST["ssh_config"]
    yield {
        name: Machine(
            name, wanted, testinfra.get_host(f"ssh://{name}", ssh_config=config, sudo=True, controlpersist=30), config
        )
        for name, wanted in HOSTS.items()
    }
    for name in HOSTS:
        subprocess.run(["ssh", "-F", config, "-O", "exit", name], capture_output=True, check=False)


@pytest.fixture
def machine(request: pytest.FixtureRequest, machines: dict[str, Machine]) -> Machine:
    """The host that this run of the check is about."""
    return machines[request.param]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Apply the waiver, and note the verdict of the phase that decided."""
    report = yield
    waiver = HOSTS[host_of(item)]["waivers"].get(control_id(item)) or {}
    waiver = waiver or HOSTS[host_of(item)]["waivers"].get(control(item)["id"]) or {}
    detail, outcome = evidence(item, call), str(report.outcome)
    if report.failed and waiver and not waiver["expired"]:
        outcome = "waived"
        detail = f"{detail}\nwaived until {waiver['until']}: {waiver['reason']}"
        report.outcome, report.wasxfail = "skipped", detail  # what JUnit shows as an expected failure
    elif report.failed and waiver:
        detail = f"{detail}\nits waiver expired on {waiver['until']}: {waiver['reason']}"
    elif report.passed and waiver:
        detail = f"{detail}\nits waiver is no longer needed".strip()
    if call.when == "call" or (call.when == "setup" and not report.passed):
        title = str(getattr(item, "function", item).__doc__ or item.name).strip().splitlines()[0]
        verdicts.append(
            {
                "host": host_of(item),
                "id": control_id(item),
                "severity": control(item)["severity"],
                "title": title,
                "outcome": outcome,
                "detail": detail,
            }
        )
    return report


def evidence(item: pytest.Item, call: pytest.CallInfo[None]) -> str:
    """The words a check failed or was skipped with, without pytest's own; those that it recorded when it passed."""
    if call.excinfo is None:
        return "\n".join(str(value) for name, value in item.user_properties if name == "evidence")
    words = str(call.excinfo.value).split("\nassert ", maxsplit=1)[0]
    if not isinstance(call.excinfo.value, AssertionError | pytest.skip.Exception):
        words = f"{call.excinfo.typename}: {words}"
    return words[:MOST_DETAIL]


def pytest_sessionfinish() -> None:
    """Leave the report where `spark verify` looks for it."""
    report = {"known": sorted(known), "verdicts": verdicts}
    Path(REQUEST["report"]).write_text(json.dumps(report))

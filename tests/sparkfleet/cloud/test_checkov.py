"""What checkov finds in the account, read as a plan, and in the same without each of its protections (mocked)."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import environments
from sparkfleet.cloud import checks
from tests.sparkfleet.cloud import recorded, weakened
from tests.sparkfleet.cloud.plan import plan

if TYPE_CHECKING:
    from tests.sparkfleet.cloud.recorded import Resource

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

HERE = Path(__file__).parent
AS_IT_IS = "as it is"
Findings = dict[str, set[tuple[str, str]]]


@pytest.fixture(scope="module")
def accounts() -> dict[str, list[Resource]]:
    """In words → the resources: the account as it is, and without each of its protections."""
    made = recorded.everything().resources
    return {AS_IT_IS: made, **dict(weakened.variants(made))}


@pytest.fixture(scope="module")
def unrefused(accounts: dict[str, list[Resource]]) -> list[str]:
    """The accounts that the program's own checks let through, first the one as it is: for checkov, which is slower."""
    return [words for words, made in accounts.items() if not checks.faults(resource.asked for resource in made)]


@pytest.fixture(scope="module")
def report(
    accounts: dict[str, list[Resource]], unrefused: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Findings]:
    """Outcome, failed or passed → account → check and resource."""
    folder = tmp_path_factory.mktemp("plans")
    for number, words in enumerate(unrefused):
        (folder / f"{number}.json").write_text(json.dumps(plan(accounts[words])))
    python = environments.python(environments.ensure("checkov"))
    done = subprocess.run([python, HERE / "scan.py", folder], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["unread"] == []
    found: dict[str, Findings] = {"failed": defaultdict(set), "passed": defaultdict(set)}
    for outcome, seen in found.items():
        for file, check, resource in told[outcome]:
            seen[unrefused[int(Path(file).stem)]].add((check, resource))
    return found


def waivers() -> dict[str, dict[str, str]]:
    """Check → pattern of resources → the reason."""
    return {check: dict(found) for check, found in tomllib.loads((HERE / "waivers.toml").read_text()).items()}


def test_every_check_passes_or_has_a_reason(report: dict[str, Findings]) -> None:
    """What fails is waived, what is waived fails, and each waiver says why."""
    failed = report["failed"][AS_IT_IS]
    waived = [(check, pattern) for check, found in waivers().items() for pattern in found]
    unexplained = [
        (check, resource)
        for check, resource in sorted(failed)
        if not any(check == known and fnmatch(resource, pattern) for known, pattern in waived)
    ]
    stale = [one for one in waived if not any(one[0] == check and fnmatch(name, one[1]) for check, name in failed)]

    assert (unexplained, stale) == ([], [])
    assert all(len(reason.split()) > 3 for found in waivers().values() for reason in found.values())


def test_checkov_reads_what_there_is(report: dict[str, Findings]) -> None:
    """The checks that a careful account is known to need were all made: a plan that is misread would pass, too."""
    made = {check for outcome in report.values() for check, _ in outcome[AS_IT_IS]}

    assert KNOWN - made == set()


def test_the_account_as_it_is_has_no_fault(unrefused: list[str]) -> None:
    """What the program would refuse is not in it."""
    assert unrefused[0] == AS_IT_IS


def test_each_protection_is_missed_when_it_is_gone(
    accounts: dict[str, list[Resource]], unrefused: list[str], report: dict[str, Findings]
) -> None:
    """Of every weaker account the program's own checks find a fault, or checkov says more than of the real one."""
    before = report["failed"][AS_IT_IS]

    assert [words for words in unrefused[1:] if not report["failed"][words] - before] == []
    assert len(accounts) - len(unrefused) > 100  # what the program itself refuses
    assert {weakening.kind for weakening in weakened.WEAKENINGS} - {w.split()[0] for w in accounts} == set()


KNOWN = {
    *(f"CKV_AWS_{number}" for number in (18, 19, 20, 21, 53, 54, 55, 56, 57, 70, 93, 145, 300)),  # buckets
    *(f"CKV_AWS_{number}" for number in (60, 61, 62, 63, 274, 286, 287, 288, 289, 290, 355)),  # roles and policies
    *(f"CKV_AWS_{number}" for number in (7, 33, 227, 26, 169, 385, 66, 158, 338, 319)),  # keys, topics, logs, alarms
    *(f"CKV_AWS_{number}" for number in (35, 36, 67, 251, 252)),  # the trail
    *(f"CKV2_AWS_{number}" for number in (6, 10, 40, 56, 61, 62, 64, 65)),  # of several resources at once
}
"""What checkov asks of the kinds of resources that there are; its other checks concern kinds that there are not."""

"""Items and predictions → a real Label Studio, a scripted person at its queue, and back: once, and as it was said."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import record, reviewing
from tests.workloads.label.desk import Desk, truth
from tests.workloads.label.faults import Fault, Proxy
from tests.workloads.label.reviewer import Api, Reviewer
from workloads.label.records import Arm

if TYPE_CHECKING:
    from tests.workloads.label.labs import LabelLab

WAITING = 20  # publish.batch


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """One at which few items wait at a time."""
    desk.batch = WAITING
    desk.describe()
    return desk


def test_what_people_say_comes_back_as_they_said_it(desk: Desk) -> None:
    """Publish, predict anew, review, collect, publish again: exact, in order, and each stage changes nothing twice."""
    api = Api(desk.url, desk.token_file)
    desk.fill(30)
    first = desk.run("publish")
    desk.predict("m:1", share=0.5)
    renewed = desk.run("publish")
    project = api.project(desk.name)
    tasks = {task["id"]: task for task in api.tasks(project)}

    assert (first["published"], renewed["published"], len(tasks)) == (WAITING, 0, WAITING)
    assisted = [each for each in desk.published if each.arm is Arm.ASSISTED]
    assert renewed["predictions renewed"] == len(assisted)
    for each in desk.published:
        versions = [told["model_version"] for told in tasks[each.task]["predictions"]]
        assert versions == (["m:1"] if each.arm is Arm.ASSISTED else [])

    person = Reviewer(api, truth, seed=3, mistakes=0.0, skips=0.2, lunches=0.1)
    did = person.work(project, most=12)
    collected = desk.run("collect")
    again = desk.run("collect")

    assert (collected["reviews"], collected["new"], again["new"], again["changed"]) == (12, 12, 0, 0)
    items = {item.id: item for item in desk.items}
    assert [review.task for review in desk.reviews] == sorted(tasks)[:12]  # in the order of publishing
    for review in desk.reviews:
        said = {(span.start, span.end, span.label) for span in review.spans}
        assert said == (set() if review.skipped else truth({"text": items[review.item].text}))
        assert (review.model == "m:1") is (items[review.item].arm is Arm.ASSISTED) is (review.shown is not None)
        assert review.lead_time_s
    assert sum(review.skipped for review in desk.reviews) == did["skipped"]
    assert did["accepted"] > 0
    assert collected["accepted"] == f"{did['accepted']} of {did['accepted'] + did['edited']}"

    made_up_for = desk.run("publish")
    assert (made_up_for["published"], made_up_for["in all"]) == (10, 30)
    assert api.duplicates(project) == 0


def test_a_run_that_was_killed_at_a_lost_answer_is_gone_on_with(desk: Desk) -> None:
    """The server has taken the import, its answer is lost, and the run is dead: what stands is found, nothing twice."""
    api = Api(desk.url, desk.token_file)
    desk.fill(12)
    with Proxy(desk.url) as proxy:
        desk.at(proxy.url)
        dying = desk.start("publish")
        proxy.break_("POST", "/import", Fault.LOST, also=dying.kill)
        assert dying.wait(60) == -signal.SIGKILL
        assert (desk.published, len(api.tasks(api.project(desk.name)))) == ([], 12)

        report = desk.run("publish")

    assert (report["found again"], report["published"]) == (12, 0)
    assert api.duplicates(api.project(desk.name)) == 0
    assert {each.task for each in desk.published} == {task["id"] for task in api.tasks(api.project(desk.name))}


def test_the_labs_own_secrets_are_nobodys_but_its_owners(label_lab: LabelLab) -> None:
    """Token and password lie 0600 in a folder 0700, on no command line; and without them the server tells nothing."""
    instance, pid = label_lab.instance, record.alive(label_lab.instance, reviewing.LABEL)
    files = [reviewing.token_file(instance), reviewing.password_file(instance)]

    assert [oct(file.stat().st_mode & 0o777) for file in (*files, instance.secrets)] == ["0o600", "0o600", "0o700"]
    words = Path(f"/proc/{pid}/cmdline").read_text()
    assert [file.read_text() in words for file in files] == [False, False]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{reviewing.url(instance)}/api/projects", timeout=30)  # noqa: S310

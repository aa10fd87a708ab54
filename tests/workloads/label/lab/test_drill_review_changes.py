"""What changes between two runs, on either side → no review is lost, and none is booked on the wrong model."""

from __future__ import annotations

import pytest

from tests.workloads.label.desk import LABELS_XML, Desk, truth
from tests.workloads.label.reviewer import Api, Reviewer
from workloads.label.records import Arm

pytestmark = pytest.mark.drill


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """With a few items, published."""
    desk.fill(12)
    desk.run("publish")
    return desk


def test_a_review_counts_for_the_model_that_was_on_the_screen(desk: Desk) -> None:
    """A page was opened with m:1, m:2 took its place, and then it was saved: Label Studio says m:2, we say m:1."""
    api = Api(desk.url, desk.token_file)
    desk.predict("m:1", share=0.0)
    desk.run("publish")
    project = api.project(desk.name)
    opened = [task for task in api.tasks(project) if task["predictions"]][:2]
    desk.predict("m:2", share=1.0)
    desk.run("publish")

    late, later = (api.ask(f"tasks/{task['id']}/") for task in opened)
    person = Reviewer(api, truth, mistakes=0.0, skips=0.0)
    person.review({**late, "predictions": opened[0]["predictions"]})
    person.review({**later, "predictions": [told for told in later["predictions"] if told["model_version"] == "m:2"]})
    export = api.ask(f"projects/{project}/export?exportType=JSON")
    frozen = [entry["annotations"][0]["prediction"]["model_version"] for entry in export]
    desk.run("collect")

    assert frozen == ["m:2", "m:2"]
    assert {review.task: review.model for review in desk.reviews} == {late["id"]: "m:1", later["id"]: "m:2"}
    assert [len(review.shown or []) for review in desk.reviews] == [1, 2]


def test_what_somebody_has_reviewed_gets_no_new_prediction(desk: Desk) -> None:
    """A newer model marks what nobody has looked at; the first come, first reviewed, stays as it was."""
    api = Api(desk.url, desk.token_file)
    project = api.project(desk.name)
    Reviewer(api, truth).work(project, most=4)
    desk.predict("m:1")

    report = desk.run("publish")

    given = [task["id"] for task in api.tasks(project) if task["predictions"]]
    untouched = {task["id"] for task in api.tasks(project) if not task["annotations"]}
    assert set(given) == {each.task for each in desk.published if each.arm is Arm.ASSISTED} & untouched
    assert report["predictions renewed"] == len(given)


def test_new_labels_reach_the_server_and_old_marks_are_told(desk: Desk) -> None:
    """labels.xml is the truth; marks with a label that is gone are left out, counted, and there if it comes back."""
    api = Api(desk.url, desk.token_file)
    project = api.project(desk.name)
    Reviewer(api, truth, mistakes=0.0, skips=0.0).work(project, most=3)
    desk.describe(LABELS_XML.replace("DATE", "DAY"), '["PARTY", "DAY"]')

    desk.run("publish")
    fewer = desk.run("collect")
    assert "DAY" in api.ask(f"projects/{project}/")["label_config"]
    assert (fewer["reviews"], fewer["marks that fit no label or text"]) == (3, 3)
    assert {span.label for review in desk.reviews for span in review.spans} == {"PARTY"}

    desk.describe()
    assert desk.run("collect")["changed"] == 3


def test_a_project_that_cannot_be_found_is_not_made_anew(desk: Desk) -> None:
    """Its mark was removed: a second project would hide the first one's reviews, so the run stops and keeps them."""
    api = Api(desk.url, desk.token_file)
    project = api.project(desk.name)
    Reviewer(api, truth).work(project, most=2)
    desk.run("collect")
    before = desk.reviews
    api.ask(f"projects/{project}/", {"description": "Contracts, please ask Ada"}, "PATCH")
    count = api.ask("projects?page_size=1000")["count"]

    refused = [desk.tried(stage) for stage in ("publish", "collect")]

    assert [(status, "spark-node label:" in told["error"]["what"]) for status, told, _ in refused] == [(22, True)] * 2
    assert (api.ask("projects?page_size=1000")["count"], desk.reviews) == (count, before)


def test_two_people_are_two(desk: Desk) -> None:
    """Where two saw the same task, how far they agree is told, with its n."""
    api = Api(desk.url, desk.token_file)
    project = api.project(desk.name)
    other = api.ask("users/", {"email": f"{desk.name}@lab.example", "username": desk.name})["id"]
    tasks = api.tasks(project)[:4]
    for task in tasks:
        Reviewer(api, truth, mistakes=0.0, skips=0.0).review(task)
        Reviewer(api, truth, mistakes=1.0 if task is tasks[0] else 0.0, skips=0.0, user=other).review(task)

    report = desk.run("collect")

    assert report["agreement"] == "0.92 (n 4 pairs, 3 alike)"
    assert {review.reviewer for review in desk.reviews} >= {other}

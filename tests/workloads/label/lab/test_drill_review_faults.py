"""Label Studio fails in every way a server can while items are published → each task stands once, counted there."""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lab import reviewing
from tests.workloads.label.desk import Desk, truth
from tests.workloads.label.faults import Fault, Proxy
from tests.workloads.label.reviewer import Api, Reviewer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workloads.label.labs import LabelLab

pytestmark = pytest.mark.drill
COUNT = 120  # items: three imports of 50
TIMES = 2


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """With so many items that wait."""
    desk.fill(COUNT)
    return desk


@pytest.fixture
def proxy(desk: Desk) -> Iterator[Proxy]:
    """What stands between the stages and the server."""
    with Proxy(desk.url) as made:
        desk.at(made.url)
        yield made


def all_stand_once(desk: Desk) -> None:
    """In Label Studio itself, and in the project's own record."""
    api = Api(desk.url, desk.token_file)
    tasks = api.tasks(api.project(desk.name))
    assert sorted(task["data"]["item"] for task in tasks) == sorted(item.id for item in desk.items)
    assert {each.task: each.item for each in desk.published} == {task["id"]: task["data"]["item"] for task in tasks}
    assert api.duplicates(api.project(desk.name)) == 0


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.BROKEN, Fault.BUSY, Fault.LOST, Fault.CUT, Fault.SLOW])
def test_a_fault_at_any_request_costs_nothing_but_time(desk: Desk, proxy: Proxy, fault: Fault) -> None:
    """Every kind of request meets it: looking, making, importing, counting."""
    for method, path in (
        ("GET", "/api/projects"),
        ("POST", "/api/projects/$"),
        ("GET", "/api/tasks"),
        ("POST", "/import"),
    ):
        proxy.break_(method, path, fault, TIMES)

    report = desk.run("publish")

    assert report["in all"] == COUNT
    assert [rule.times for rule in proxy.rules if rule.times == TIMES] == []  # each has met it
    all_stand_once(desk)


def test_predictions_are_not_given_twice(desk: Desk, proxy: Proxy) -> None:
    """Their import's answer is lost, twice; then the choice of the model fails."""
    desk.run("publish")
    desk.predict("m:1")
    proxy.break_("POST", "/import/predictions", Fault.LOST, times=2)
    proxy.break_("PATCH", "/api/projects", Fault.BROKEN)

    report = desk.run("publish")

    assert report["predictions renewed"] == sum(each.prediction == "m:1" for each in desk.published) > 0
    assert proxy.met == {"LOST": 2, "BROKEN": 1}
    all_stand_once(desk)


def test_an_import_that_goes_through_after_it_was_given_up_is_undone(desk: Desk, proxy: Proxy) -> None:
    """The worst: the connection breaks, nothing stands, the import is sent again, then the first one is done, too."""
    proxy.break_("POST", "/import", Fault.LATE)
    desk.run("publish")
    proxy.settle()
    api = Api(desk.url, desk.token_file)
    assert api.duplicates(api.project(desk.name)) == 50

    desk.run("publish")

    all_stand_once(desk)


def test_a_late_twin_that_somebody_has_reviewed_is_kept(desk: Desk, proxy: Proxy) -> None:
    """Nobody's work is deleted: the other one goes, where nobody has touched it, and the review is collected."""
    proxy.break_("POST", "/import", Fault.LATE)
    desk.run("publish")
    proxy.settle()
    api = Api(desk.url, desk.token_file)
    project = api.project(desk.name)
    twins = [task for task in api.tasks(project) if task["id"] not in {each.task for each in desk.published}]
    Reviewer(api, truth, skips=0.0).review(api.ask(f"tasks/{twins[0]['id']}/"))

    desk.run("publish")
    desk.run("collect")

    assert [review.item for review in desk.reviews] == [twins[0]["data"]["item"]]
    assert len(api.tasks(project)) == COUNT


def test_a_token_that_expires_in_the_middle_is_read_anew(desk: Desk, proxy: Proxy, tmp_path: Path) -> None:
    """Label Studio itself resets it between two imports; its successor comes into the file three seconds later."""
    file = tmp_path / "token"
    file.write_text(desk.token_file.read_text())
    desk.at(proxy.url, file)

    def expire() -> None:
        new = Api(desk.url, desk.token_file).ask("current-user/reset-token/", {})["token"]
        desk.token_file.write_text(new)
        threading.Timer(3.0, file.write_text, [new]).start()

    proxy.break_("POST", "/import", None, also=None)
    proxy.break_("POST", "/import", None, also=expire)

    report = desk.run("publish")

    assert (report["in all"], proxy.met) == (COUNT, {"HOOK": 2})
    all_stand_once(desk)


def test_a_token_that_nobody_renews_is_said_to_be_the_fault(desk: Desk, tmp_path: Path) -> None:
    """Exit code 22, the file's name, and not a character of the token."""
    file = tmp_path / "token"
    file.write_text("f" * 40)
    desk.at(desk.url, file)

    status, told, said = desk.tried("publish")

    assert (status, str(file) in told["error"]["what"], "ffff" in said) == (22, True, False)


def test_a_refusal_is_final_and_shown_harmlessly(desk: Desk, proxy: Proxy) -> None:
    """403 is no reason to wait; what stood before stands, and the next run goes on."""
    proxy.break_("POST", "/import", None)
    proxy.break_("POST", "/import", Fault.FORBIDDEN)

    status, told, _ = desk.tried("publish")
    assert (status, len(desk.published)) == (22, 50)
    assert "refuses with 403" in told["error"]["what"]

    assert desk.run("publish")["published"] == COUNT - 50
    all_stand_once(desk)


def test_a_restart_of_the_server_in_the_middle_is_waited_for(label_lab: LabelLab, desk: Desk, proxy: Proxy) -> None:
    """Really down, for as long as its start takes; the reviews of an earlier moment are still there."""

    def restart() -> None:
        reviewing.stop(label_lab.instance)
        threading.Thread(target=reviewing.up, args=(label_lab.instance,)).start()

    proxy.break_("POST", "/import", None)
    proxy.break_("POST", "/import", Fault.LOST, also=restart)

    report = desk.run("publish")

    assert report["in all"] == COUNT
    all_stand_once(desk)


def test_ten_kills_at_random_moments_leave_each_task_once(desk: Desk, proxy: Proxy) -> None:
    """With lost answers on the way; a run that is left alone then ends it."""
    chance = random.Random(20261121)  # noqa: S311  (moments, no secrets)
    proxy.break_("POST", "/import", Fault.LOST, times=4)
    for _ in range(10):
        running = desk.start("publish")
        try:
            running.wait(chance.uniform(1.0, 6.0))
        except Exception:  # noqa: BLE001  (it still runs: that is the point)
            running.send_signal(signal.SIGKILL)
            running.wait()

    desk.run("publish")

    all_stand_once(desk)


def test_collect_keeps_what_it_had_while_the_server_fails(desk: Desk, proxy: Proxy) -> None:
    """Reviews are replaced whole or not at all; a cut export is asked for again."""
    desk.run("publish")
    api = Api(desk.url, desk.token_file)
    person = Reviewer(api, truth)
    person.work(api.project(desk.name), most=5)
    proxy.break_("GET", "/export", Fault.CUT, times=2)
    desk.run("collect")
    assert (len(desk.reviews), proxy.met) == (5, {"CUT": 2})

    person.work(api.project(desk.name), most=5)
    proxy.break_("GET", "/export", Fault.FORBIDDEN)
    began = time.monotonic()
    assert desk.tried("collect")[0] == 22
    assert time.monotonic() - began < 60
    assert len(desk.reviews) == 5

    desk.run("collect")
    assert len(desk.reviews) == 10

"""The controller's side of the guard, over a session to a host that is a folder → kept, undone, and said in words."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.errors import ApplyError, LockdownError, UnreachableError
from sparkfleet.host import guard
from sparkfleet.host.connection import Result
from tests.sparkfleet.host.guarded import FakeHost
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = re.compile(r"\nmain\(json\.loads\((?P<text>.*)\)\)\n\Z")


class Wire:
    """A session to a host that is a folder: the request that was sent is carried out there by the real script."""

    name = "spark-01"

    def __init__(self, host: FakeHost) -> None:
        self.host, self.alive, self.verbs = host, True, list[str]()

    @property
    def target(self) -> Any:
        """Whose session it is."""
        return self

    def run(self, command: str, *, stdin: str, timeout_s: float) -> Result:  # noqa: ARG002
        """Carry out a request; a session that was cut raises."""
        if not self.alive:
            raise UnreachableError("spark-01 stopped answering.")
        found = REQUEST.search(stdin)
        assert found
        request = json.loads(ast.literal_eval(found["text"]))
        self.verbs.append(request["do"])
        return Result(0, json.dumps(self.host.do(request["do"], request.get("id", ""))), "")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """A host in version 0."""
    return FakeHost(tmp_path)


@pytest.fixture
def session(host: FakeHost) -> Any:
    """A session to it."""
    return Wire(host)


def test_what_is_confirmed_is_kept(host: FakeHost, session: Any) -> None:
    """Arm, change, confirm: the change stays and the host waits for nothing."""
    with guard.armed(session, by="spark lockdown", window_s=60) as armed:
        assert guard.state(session)["armed"]["id"] == armed.id
        host.change(1)
        armed.confirm()
    assert host.versions == {"1"}
    assert not host.armed
    assert session.verbs == ["arm", "state", "confirm"]


def test_leaving_without_a_word_brings_the_old_state_back(host: FakeHost, session: Any) -> None:
    """A caller that forgets to confirm has changed nothing."""
    with guard.armed(session, by="spark lockdown", window_s=60) as armed:
        host.change(1)
    assert host.versions == {"0"}
    assert armed.undone == "The old state is back."


@pytest.mark.parametrize("error", [ApplyError("The role failed."), KeyboardInterrupt()])
def test_an_error_brings_the_old_state_back_and_says_so(host: FakeHost, session: Any, error: BaseException) -> None:
    """Whatever ends the change, Ctrl-C too, it is undone; an error of ours tells it in its own words."""

    def change() -> None:
        with guard.armed(session, by="spark lockdown", window_s=60):
            host.change(1)
            raise error

    with pytest.raises(type(error)) as raised:
        change()
    assert host.versions == {"0"}
    if isinstance(error, ApplyError):
        assert str(raised.value).startswith("The role failed. The old state is back.")


def test_a_host_that_cannot_be_asked_any_more_undoes_it_by_itself(host: FakeHost, session: Any) -> None:
    """The session breaks: the controller says what the host will do and by when, and the host does it."""

    def change() -> None:
        with guard.armed(session, by="spark lockdown", window_s=60):
            host.change(1)
            session.alive = False
            raise ApplyError("The connection broke.")

    with pytest.raises(ApplyError, match="puts its old state back by itself, at the latest 60 s from now"):
        change()
    assert host.armed
    host.settle()
    assert host.versions == {"0"}


def test_a_second_change_is_told_who_is_there(session: Any) -> None:
    """While one is under way another is refused, with nothing touched, and names the first."""
    with guard.armed(session, by="spark lockdown", window_s=60) as armed:
        with (
            pytest.raises(LockdownError, match=r"being changed by run .* since 2.*; nothing was changed"),
            guard.armed(session, by="pulumi up", window_s=60),
        ):
            pytest.fail("armed twice")
        armed.confirm()


def test_a_long_apply_keeps_the_window_open(session: Any) -> None:
    """The host hears from the controller thrice a window, and once more before the proof begins."""
    with guard.armed(session, by="spark lockdown", window_s=60) as armed:
        armed.window_s = 1
        with armed.kept():
            until(lambda: session.verbs.count("extend") >= 3, "three beats")
        beats = session.verbs.count("extend")
        armed.confirm()
    assert beats >= 4


def test_an_apply_that_outlived_the_window_is_undone_once_more(host: FakeHost, session: Any) -> None:
    """The host has restored while the apply went on: the caller hears it, and what came after is undone as well."""

    def change() -> None:
        with guard.armed(session, by="spark lockdown", window_s=60) as armed, armed.kept():
            host.do("restore", armed.id)
            host.change(2)

    with pytest.raises(LockdownError, match="put its old state back"):
        change()
    assert host.versions == {"0"}


def test_what_a_host_says_is_shown_without_its_escapes() -> None:
    """A hostile answer, an error text with escapes or no JSON at all, becomes one harmless line."""

    class Hostile:
        name, answer = "spark-01", json.dumps({"error": "\x1b[2J\nspark: all is well"})

        @property
        def target(self) -> Any:
            return self

        def run(self, *_words: str, **_more: object) -> Result:
            return Result(0, self.answer, "\x1b]0;title\x07\n")

    hostile: Any = Hostile()
    for answer in (hostile.answer, "[]", "{", '{"failed": 3}', '{"error": {"a": 1}}'):
        hostile.answer = answer
        with pytest.raises(LockdownError) as raised:
            guard.state(hostile)
        assert "\x1b" not in str(raised.value)
        assert "\nspark" not in str(raised.value)


def test_a_confirmation_whose_answer_was_lost_is_told_as_kept(host: FakeHost, session: Any) -> None:
    """The host has confirmed, the controller does not know: it asks for the old state and hears that there is none."""

    def change() -> None:
        with guard.armed(session, by="spark lockdown", window_s=60) as armed:
            host.change(1)
            host.do("confirm", armed.id)
            raise UnreachableError("The answer was lost.")

    with pytest.raises(UnreachableError, match="The host has kept the change"):
        change()
    assert host.versions == {"1"}

"""A host's object-store key → its successor: proven from here and from the host, then the old one ended and refused.

State is read from the store's list of keys, from the controller's files (`<host>.json`, `.new`, `.old`) and from the
host's /etc/sparkfleet/s3.json. The old key ends last of all, so the host has a valid one at every moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sparkfleet import secrets
from sparkfleet.cloud import access_keys, contents, objectstore
from sparkfleet.cloud.access_keys import Held
from sparkfleet.errors import RotationError
from sparkfleet.host.desired import secret_setting
from sparkfleet.host.parts import Secret
from sparkfleet.rotate import door
from sparkfleet.rotate.story import Story
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.model import Fleet

BY = "spark rotate s3"


class Do(StrEnum):
    """What can come next."""

    DISCARD = "forget a successor that the store does not know"
    MAKE_ROOM = "end a key that nobody holds"
    MAKE = "make the successor"
    SWITCH = "keep the proven successor on the controller"
    SHIP = "give it to the host"
    PROVE = "use it from the host"
    END = "end the old key"
    REFUSE = "be refused with the old key"
    FORGET = "delete the old key's secret"


@dataclass(frozen=True)
class State:
    """Everything that decides, as key ids; "" is none. `listed` are the active ones, oldest first, `dead` the others.

    `proven` and `refused` are what this run has seen.
    """

    listed: tuple[str, ...]
    held: str
    pending: str
    leaving: str
    on_host: str
    dead: tuple[str, ...] = ()
    wanted: bool = False
    proven: bool = False
    refused: bool = False


def under_way(state: State) -> bool:
    """Whether a rotation was begun and not finished: then it is finished, and no other begun."""
    return bool(state.pending or state.leaving) or (state.held in state.listed and state.on_host != state.held)


def next_step(state: State) -> Do | None:  # noqa: PLR0911  (one line a case reads best)
    """What comes next; None when the controller and the host hold the same key and the store knows no other. Pure.

    `wanted`: a successor is to be made. The key that the host has is never ended before it has another.
    """
    if state.pending:
        return Do.SWITCH if state.pending in state.listed else Do.DISCARD
    if state.wanted or state.held not in state.listed:
        return Do.MAKE if len(state.listed) + len(state.dead) < access_keys.QUOTA else Do.MAKE_ROOM
    if state.on_host != state.held:
        return Do.SHIP
    if not state.proven:
        return Do.PROVE
    if len(state.listed) + len(state.dead) > 1:
        return Do.END
    if state.leaving:
        return Do.FORGET if state.refused or state.leaving == state.held else Do.REFUSE
    return None


def nobodys(state: State) -> str:
    """The key to end when there is no room for another: a dead one, or one that nobody holds (its maker was killed)."""
    held = {state.on_host, state.held, state.pending}
    return [*(key for key in state.listed if key not in held), *state.dead][-1]


def rotate(fleet: Fleet, name: str, say: Callable[[str], None]) -> Story:
    """Replace the object-store key of one host, or finish what a killed run began.

    Raises UnreachableError, StoreError, RotationError, LockedError; the host has a valid key whatever happens.
    """
    story = Story(fleet, "rotate-s3", say)
    with door.opened(fleet, name, BY) as opened:
        run = _Run(fleet, opened, story)
        old = run.state.leaving or run.state.on_host or run.state.held
        if under_way(run.state):
            story.tell(name, "resumed", old=old)
        else:
            run.state = replace(run.state, wanted=True)
            story.tell(name, "began", old=old)
        while step := next_step(run.state):
            run.act(step)
        opened.call("dates")
        story.tell(name, "done", old=old, new=run.state.held)
    return story


class _Run:
    """The acting edge: after each step it looks again."""

    def __init__(self, fleet: Fleet, opened: door.Door, story: Story) -> None:
        assert fleet.cloud.onprem is not None  # noqa: S101  (the caller asked)
        where = fleet.cloud.onprem
        self.fleet, self.opened, self.story, self.name = fleet, opened, story, opened.name
        self.store = objectstore.Connection(where.endpoint, where.region, where.admin, where.iam_endpoint)
        self.user, self.file = f"{fleet.fleet}-{self.name}", fleet.controller.store_key(self.name)
        self.wanted = contents.host_identity(fleet, self.name)
        self.iam = objectstore.iam(self.store, objectstore.administrator(self.store))
        self.state = self._look()

    def act(self, step: Do) -> None:  # noqa: C901  (one case a step)
        """Do one step and look again."""
        told = {"old": self.state.leaving or self.state.on_host, "new": self.state.pending or self.state.held}
        before = self.state
        with objectstore.explained(f"{step} of {self.user}", self.store):
            match step:
                case Do.DISCARD:
                    secrets.remove(access_keys.pending(self.file))
                case Do.MAKE_ROOM:
                    access_keys.end(self.iam, self.user, nobodys(self.state))
                case Do.MAKE:
                    before = replace(before, wanted=False)
                    told["new"] = self._make()
                    self.story.tell(self.name, "added", **told)
                case Do.SWITCH:
                    self._switch()
                    self.story.tell(self.name, "switched", **told, detail="on the controller")
                case Do.SHIP:
                    self._ship()
                    self.story.tell(self.name, "switched", **told, detail="on the host")
                case Do.PROVE:
                    self._prove_there()
                    before = replace(before, proven=True)
                    self.story.tell(self.name, "proven", new=told["new"], detail="from the host")
                case Do.END:
                    for key in (*self.state.listed, *self.state.dead):
                        if key != self.state.held:
                            access_keys.end(self.iam, self.user, key)
                            self.story.tell(self.name, "removed", old=key, new=told["new"])
                case Do.REFUSE:
                    self._refused()
                    before = replace(before, refused=True)
                    self.story.tell(self.name, "refused-old", **told)
                case Do.FORGET:
                    secrets.remove(access_keys.leaving(self.file))
        self.state = replace(self._look(), wanted=before.wanted, proven=before.proven, refused=before.refused)

    def _look(self) -> State:
        with objectstore.explained(f"looking at the keys of {self.user}", self.store):
            listed = access_keys.listed(self.iam, self.user)
        held = (access_keys.read_held(path, self.user) for path in access_keys.files(self.file))
        ids = (one.key.access_key_id if one else "" for one in held)
        told = self.opened.call("store-key").get("id")
        active, dead = (tuple(k.access_key_id for k in listed if k.active is alive) for alive in (True, False))
        kept, pending, leaving = ids
        # A host can tell anything: an id that neither we nor the store know is as good as none.
        known = isinstance(told, str) and told in {kept, pending, leaving, *active, *dead}
        on_host = str(told) if known else ""
        return State(active, kept, pending, leaving, on_host, dead)

    def _make(self) -> str:
        """Its secret is in a file before anything else happens; a key that cannot be proven is taken back."""
        made = Held(self.user, self.fleet.generation(self.name), access_keys.make(self.iam, self.user))
        access_keys.keep(access_keys.pending(self.file), made)
        return made.key.access_key_id

    def _switch(self) -> None:
        pending, leaving = access_keys.pending(self.file), access_keys.leaving(self.file)
        found = self._kept(pending)
        if not access_keys.proven(self.store, found.key, self.wanted["proof_bucket"], self.wanted["proof_prefix"]):
            access_keys.end(self.iam, self.user, found.key.access_key_id)
            secrets.remove(pending)
            raise RotationError(
                f"the new key of {self.user} does not work; it was ended again, the old one was not touched.",
                usually="the S3 endpoint and the IAM endpoint do not belong to the same store, or its policy changed.",
                next_step="run `pulumi up`, then the same command again.",
            )
        if not leaving.exists() and access_keys.read_held(self.file, self.user):
            leaving.hardlink_to(self.file)
        pending.replace(self.file)

    def _ship(self) -> None:
        version = self._kept(self.file).key.access_key_id
        setting = secret_setting(Secret(f"file:{self.file}", f"s3/{self.name}"), version)
        self.opened.call("store-put", content=self.file.read_text(encoding="utf-8").rstrip("\n"), setting=setting)

    def _prove_there(self) -> None:
        """Let the host itself make a request with what lies in its file; nothing secret travels."""
        where = {"endpoint": self.store.endpoint, "region": self.store.region}
        request = where | {"bucket": self.wanted["proof_bucket"], "prefix": self.wanted["proof_prefix"]}
        answer: dict[str, Any] = self.opened.script("proof_script.py", request)
        if answer != {"id": self.state.held, "answer": "ok"}:
            said = printable(str(answer.get("answer")))
            raise RotationError(
                f"{self.name} cannot use its new object-store key {self.state.held}: {said}. The old one still works.",
                usually="the host does not reach the store, or its clock is wrong.",
                next_step="mend that; then run the same command again: it goes on where it stopped.",
            )

    def _refused(self) -> None:
        old = self._kept(access_keys.leaving(self.file))
        if not access_keys.refused(self.store, old.key, self.wanted["proof_bucket"], self.wanted["proof_prefix"]):
            raise RotationError(
                f"the store still takes the key {old.key.access_key_id} of {self.user}, which was deleted.",
                usually="a part of it has not heard of it yet.",
                next_step="run the same command again in a minute.",
            )

    def _kept(self, path: Any) -> Held:
        found = access_keys.read_held(path, self.user)
        if found is None:
            raise RotationError(
                f"{path} vanished while a rotation was under way.",
                usually="another run on this controller finished meanwhile.",
                next_step="run the same command again.",
            )
        return found

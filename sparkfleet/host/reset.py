"""A host → what it was before the first apply, as its own journal tells; it stays reachable by the automation user.

The host's programs (playbooks/collections/…/module_utils/reset.py) are those of playbooks/reset.yml. Here they run
under the host's guard: a way in that no new connection proves is undone by the host itself.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from sparkfleet import audit
from sparkfleet.errors import ResetError
from sparkfleet.host import guard, lock
from sparkfleet.host.connection import LoginRefusedError, Session, Target
from sparkfleet.host.observe import COMMAND
from sparkfleet.host.sources import PROJECT
from sparkfleet.host.step import answered
from sparkfleet.tailnet_checks import in_tailnet
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sparkfleet.model import Fleet

BY = "spark reset"
COLLECTION = "ansible_collections.sparkfleet.host.plugins.module_utils"
PROGRAMS = PROJECT / "playbooks" / "collections" / COLLECTION.replace(".", "/")
# In the order in which they import one another.
PARTS = ("marker", "before", "facts", "jsontext", "before_paths", "reset_plan", "reset")
PLAN_S, RESET_S = 60.0, 1800.0  # packages are removed by dpkg, one after the other
MOST_TEXT = 400
LOADER = """\
import json, sys, types
for name, text in json.loads(sys.stdin.readline()).items():
    above = sys
    for end in [at for at, letter in enumerate(name) if letter == "."]:
        package = sys.modules.setdefault(name[:end], types.ModuleType(name[:end]))
        package.__path__ = []
        above = package
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
    setattr(above, name.rpartition(".")[2], module)
try:
    answer = module.main(json.loads(sys.stdin.readline()))
except OSError as error:
    answer = {"error": str(error)}
print(json.dumps(answer))
"""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a reset would take back: words for people, and whether there is anything."""

    host: str
    applied: bool
    takes_back: dict[str, list[str]]
    keeps: list[str]

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Done:
    """What was taken back, and what was left: path or step → why."""

    host: str
    done: tuple[str, ...]
    left: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        return {"host": self.host, "done": list(self.done), "left": dict(self.left)}


def look(target: Target) -> Plan:
    """What a reset of this host would do; changes nothing. Raises UnreachableError or ResetError."""
    with Session(target) as session:
        answer = _ask(session, "plan", PLAN_S)
    return read_plan(target.name, answer)


def reset(fleet: Fleet, target: Target, *, say: Callable[[str], None] = lambda _: None) -> Done:
    """Take back what sparkfleet did to a host; safe to repeat, also after a kill anywhere.

    The way in comes first, under the guard, and is proven over an address outside of the tailnet, which the host is
    about to leave. Stands in the audit log. Raises ResetError, LockdownError, LockedError or UnreachableError.
    """
    name, lan = target.name, beside_the_tailnet(target)
    target = tailnet_last(target)
    with lock.held(target, BY, say=say) as held:
        audit.record(fleet, name, "reset", "began")
        with Session(target) as session:
            if not _ask(session, "settle", RESET_S)["applied"]:  # the run that was killed had come so far
                audit.record(fleet, name, "reset", "done")
                return Done(name, (), {})
            _undo_a_killed_one(session)
            with guard.armed(session, by=BY, window_s=fleet.access.proof_window_s) as armed:
                say(f"{name}: put back how it is entered …")
                with armed.kept():
                    first = _ask(session, "way-in", PLAN_S)
                address = prove(lan)
                armed.confirm()
        say(f"{name}: entered over {address} by a new connection")
        audit.record(fleet, name, "reset", "proven", detail=f"over {address}")
        held.check()
        say(f"{name}: put back everything else …")
        with Session(lan) as session:
            rest = _ask(session, "rest", RESET_S)
        prove(lan)
        audit.record(fleet, name, "reset", "done", detail=f"{len(rest['left'])} left")
    return Done(name, (*first["done"], *rest["done"]), {**first["left"], **rest["left"]})


def _undo_a_killed_one(session: Session) -> None:
    """What a reset that was killed left armed is undone first: we hold the lock, so nobody else is at it."""
    armed = guard.state(session).get("armed")
    if isinstance(armed, dict) and armed.get("by") == BY:
        why = "the reset that changed it was killed; the next one goes on"
        guard.ask(session, {"do": "restore", "id": armed.get("id", ""), "why": why})


def beside_the_tailnet(target: Target) -> Target:
    """The same host by the addresses that are no tailnet's; raises ResetError when it has none."""
    addresses = tuple(address for address in target.addresses if not in_tailnet(address))
    if addresses:
        return dataclasses.replace(target, addresses=addresses)
    raise ResetError(
        f"{target.name} is described by its tailnet's address alone, and a reset takes it out of the tailnet; nothing "
        "was touched.",
        usually="hosts that were locked down are described so.",
        next_step=f"add its address in the LAN to hosts.{target.name}.addresses; then run the same command again.",
    )


def tailnet_last(target: Target) -> Target:
    """The same host, asked over its tailnet only where nothing else answers.

    A reset that was killed goes on at the host, and takes it out of the tailnet while the next one waits for it.
    """
    return dataclasses.replace(target, addresses=tuple(sorted(target.addresses, key=in_tailnet)))


def prove(target: Target) -> str:
    """A new connection with the automation key, and root without a password; says the address. Raises ResetError."""
    try:
        with Session(target) as session:
            if session.run("sudo -n true").code == 0:
                return session.address
        why = "sudo asks for a password"
    except LoginRefusedError as error:
        why = error.what
    raise ResetError(
        f"{target.name} could not be entered as it was before: {why}",
        usually="its old settings of sshd do not let the automation user in.",
        next_step=f"run `spark adopt {target.name}`, then the same command again.",
    )


def read_plan(name: str, answer: Mapping[str, Any]) -> Plan:
    """The host's answer in words, all of it printable; raises ResetError when it is none."""
    if not answer.get("applied"):
        return Plan(name, applied=False, takes_back={}, keeps=[])
    try:
        told = answer["plan"]
        packages, units, people = told["packages"], told["units"], told["people"]
        takes_back = {
            "packages removed": _words(packages["purge"]),
            "data that goes with them": _words(told["data"]),
            "packages brought back": _words(packages["bring_back"]),
            "packages that others need, kept": _words(packages["needed"]),
            "packages that stay upgraded": _words(packages["newer"]),
            "units stopped": _words(units["stop"]),
            "files and folders as before": _words(told["paths"]),
            "files of others, without our values": _words(told["merged"]),
            "folders of ours removed": _words(told["ours"]),
            "accounts removed": _words([*people["remove"], *told["system_accounts"]]),
            "kernel settings as before": _words(told["sysctls"]),
            "tailnet left": [name] if told["tailnet"] is True else [],
        }
        keeps = _words(told["kept"])
    except (KeyError, TypeError) as error:
        raise _strange(name) from error
    return Plan(
        name, applied=True, takes_back={what: words for what, words in takes_back.items() if words}, keeps=keeps
    )


def program() -> str:
    """The host's programs as one line of JSON: module name → text."""
    return json.dumps({f"{COLLECTION}.{part}": (PROGRAMS / f"{part}.py").read_text() for part in PARTS})


def _ask(session: Session, do: str, timeout_s: float) -> dict[str, Any]:
    request = json.dumps({"do": do, "user": session.target.user})
    # The loader goes as an argument of python's -c, so that stdin is free for the programs.
    loader = LOADER.replace("'", "'\\''")
    command = COMMAND.removesuffix(" -") + f" -c '{loader}'"
    said = session.run(command, stdin=f"{program()}\n{request}\n", timeout_s=timeout_s)
    answer, fault = answered(said, lines=1)
    name = session.target.name
    if fault:
        raise ResetError(
            f"{name} could not do the step {do!r} of a reset: {printable(fault, MOST_TEXT)}.",
            usually="another package manager holds the host, a package cannot be removed, or the disk is full.",
            next_step="mend it; then run the same command again: it goes on where it stopped.",
        )
    if not isinstance(answer.get("applied"), bool):
        raise _strange(name)
    if do == "plan":
        return answer
    left = answer.get("left")
    if not isinstance(left, dict):
        raise _strange(name)
    words = {printable(str(what)): printable(str(why), MOST_TEXT) for what, why in left.items()}
    return {"applied": answer["applied"], "done": _words(answer.get("done")), "left": words}


def _words(told: object) -> list[str]:
    """The texts in a list, or the names in a map, that a host told; a host can tell anything."""
    return [printable(one) for one in told if isinstance(one, str)] if isinstance(told, list | dict) else []


def _strange(name: str) -> ResetError:
    return ResetError(
        f"{name} gave an answer that a reset does not give; nothing was done with it.",
        usually="/var/lib/sparkfleet/before was edited on the host, or somebody else has taken the host over.",
        next_step="look at the host before you trust it.",
    )

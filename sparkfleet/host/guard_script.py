"""Sent over SSH and run as root, or started by systemd: how a host is entered comes back unless somebody confirms.

One request in, one answer (JSON) out. Standard library only, Python 3.10 or newer, one file; the sender appends the
call of `main`, so a text that was cut off on the way does nothing.

    arm      save everything that decides who gets in, start the dead-man timer, and only then be armed
    extend   give the timer its whole time again: the controller is still there
    confirm  keep what is now
    restore  put back what was saved; by the timer, at boot, by the controller, or by hand at the console
    state    what is armed, and what was restored last

One file decides, so every order of kills and power cuts is safe: `armed.json` holds all that was saved and gets its
name as arm's last act. While it is there, a restore brings the old state back however often it runs, and losing the
name is the first act of confirm and the last of restore. Its mode is UNDOING from a restore's first act on: what a
killed or failed restore left is neither the old state nor the new one, and nobody can confirm it.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sys
import syslog
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sparkfleet.host.guard_files import Files, replace, sync
from sparkfleet.host.guard_services import active, load_table, run, serve, table

FOLDER = "/var/lib/sparkfleet-guard"
SYSTEM = "/etc/systemd/system"
BOOT = "sparkfleet-guard.service"
FIREWALL = "sparkfleet-firewall.service"
WAYS_IN = ("ssh.service", "ssh.socket", "tailscaled.service")
# Whether a unit is enabled or masked is a link, so links are all that has to be saved of it.
SAVED = (
    "/etc/ssh",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/sparkfleet/firewall.nft",
    "/etc/default/tailscaled",
    f"{SYSTEM}/sparkfleet.slice",
    f"{SYSTEM}/{FIREWALL}",
    f"{SYSTEM}/sysinit.target.wants/{FIREWALL}",
    f"{SYSTEM}/ssh@.service.d",
    *(f"{SYSTEM}/{unit}{part}" for unit in WAYS_IN for part in ("", ".d")),
    *(f"{SYSTEM}/multi-user.target.wants/{unit}" for unit in WAYS_IN),
    f"{SYSTEM}/sockets.target.wants/ssh.socket",
)
TAILSCALED = ("/etc/default/tailscaled", f"{SYSTEM}/tailscaled.service")
LOCK_S = 30.0
UNDOING = 0o400  # a mode, because a full disk takes no second file
BOOT_UNIT = f"""\
# Written by sparkfleet. After a reboot before a change of the way in was confirmed, the old state comes back.
[Unit]
Description=Put back how this host was entered before a change that nobody confirmed
ConditionPathExists={FOLDER}/armed.json
DefaultDependencies=no
RequiresMountsFor={FOLDER} /etc
After=local-fs.target
Before={FIREWALL} network-pre.target {" ".join(WAYS_IN)} sysinit.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -IS {FOLDER}/guard.py restore "" "the host was rebooted before anybody confirmed"
TimeoutStartSec=90
Restart=on-failure
RestartSec=5

[Install]
WantedBy=sysinit.target
"""
# What makes a program of this text: `guard.py restore [ID [WHY]]`, also typed by somebody at the console.
ENTRY = '\nmain(dict(zip(("do", "id", "why"), sys.argv[1:])))\n'


class RefusedError(Exception):
    """The host is not in a state for this request; nothing was changed."""


def main(request: dict[str, Any]) -> None:
    """Do what `do` names and print the answer; {"error": …} for what can be foreseen. Ends with 1 on an error."""
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ["LC_ALL"] = "C.UTF-8"
    os.umask(0o022)
    guard = Guard(Path(request.get("root", "/")))
    verbs = {"arm": guard.arm, "extend": guard.extend, "confirm": guard.confirm, "restore": guard.restore}
    try:
        with guard.locked(proceed=request["do"] == "restore"):
            answer = verbs[request["do"]](request) if request["do"] in verbs else guard.state()
    except (RefusedError, OSError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))
    if "error" in answer or answer.get("failed"):
        sys.exit(1)  # systemd tries a restore again


class Guard:
    """The guard of the host whose files lie below `root`."""

    def __init__(self, root: Path) -> None:
        """`root` is "/" but for tests."""
        self.folder = root / FOLDER.lstrip("/")
        self.files = Files(root, self.folder / "undone")
        self.at = self.files.at
        self.armed, self.restored, self.last = (self.folder / f"{n}.json" for n in ("armed", "restored", "last"))

    @contextlib.contextmanager
    def locked(self, *, proceed: bool) -> Iterator[None]:
        """One at a time. A restore does not wait for ever for somebody who hangs: then it goes ahead."""
        self.at("/run").mkdir(exist_ok=True)
        with (self.at("/run") / "sparkfleet-guard.lock").open("w") as lock:
            end = time.monotonic() + LOCK_S
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        if proceed:
                            break
                        raise RefusedError("another run of the guard on the host does not end") from None
                    time.sleep(0.05)
            yield

    def arm(self, request: dict[str, Any]) -> dict[str, Any]:
        """Save, start the timer, be armed. Refuses, with nothing left behind, when any of it is not possible."""
        now = read(self.armed)
        if now is not None:
            words = f"{now.get('by', 'somebody')} since {now.get('since', 'a time that is not known')}"
            raise RefusedError(f"the way in is being changed by {words}")
        run("systemctl", "stop", "sparkfleet-guard-*.timer")  # of a run that was killed in the middle
        word = {key: request[key] for key in ("id", "by", "window_s")}
        word["since"] = utc()
        new = self.folder / "armed.new"
        try:
            self._install(request["source"])
            shutil.rmtree(self.folder / "undone", ignore_errors=True)
            roots = list(dict.fromkeys([*SAVED, *request.get("also", [])]))
            word["saved"] = {
                "roots": roots,
                "entries": self.files.save(roots),
                "active": [unit for unit in WAYS_IN if active(unit)],
                "table": table(),
            }
            replace(new, json.dumps(word).encode(), 0o600)
            self._start_timer(request["id"], request["window_s"])
        except (OSError, RefusedError):
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise
        new.rename(self.armed)
        sync(self.folder)
        self.restored.unlink(missing_ok=True)
        note(f"armed by {request['by']} for {request['window_s']} s")
        return {"id": request["id"]}

    def extend(self, request: dict[str, Any]) -> dict[str, Any]:
        """The timer begins anew; refuses when the guard is not armed with this id (any more)."""
        self._same(request["id"])
        unit = timer(request["id"])
        code, said = run("systemctl", "restart", unit)
        if code or not active(unit):
            raise RefusedError(f"the dead-man timer could not be started anew: {said}")
        return {"id": request["id"]}

    def confirm(self, request: dict[str, Any]) -> dict[str, Any]:
        """What is now stays. Losing the name comes first: a timer that fires in this moment finds nothing to do."""
        self._same(request["id"])
        gone = self.folder / "confirmed.json"
        self.armed.rename(gone)
        sync(self.folder)
        run("systemctl", "stop", timer(request["id"]))
        gone.unlink()
        shutil.rmtree(self.folder / "undone", ignore_errors=True)
        note("confirmed")
        return {"id": request["id"]}

    def restore(self, request: dict[str, Any]) -> dict[str, Any]:
        """Put the old state back: the firewall first, then the files, then who serves them; each step on its own.

        With an id only what that id has saved, also once more after the timer restored it: an apply that went on
        meanwhile may have changed things again. Without one, whatever is armed.
        """
        wanted = request.get("id", "")
        word = read(self.armed)
        if word is None and wanted:
            word = read(self.restored)
        if word is None or (wanted and word.get("id") != wanted):
            return {"restored": False}
        why, saved = request.get("why") or "somebody asked for it", word.get("saved", {})
        note(f"restoring: {why}")
        self._undo()
        failed = load_table(saved.get("table", ""))
        changed, kept = self.files.put_back(saved.get("roots", []), saved.get("entries", {}))
        failed += kept
        self.at("/run/sshd").mkdir(exist_ok=True)  # sshd -t asks for it; with ssh.socket it may not be there
        serve(saved.get("active", []), tailscaled=any(path.startswith(TAILSCALED) for path in changed))
        last = {key: word.get(key, "") for key in ("id", "by", "since")}
        last |= {"why": why, "when": utc(), "changed": changed, "failed": failed}
        if self.armed.exists() or changed or failed:  # else the timer did it all, and its own word stays
            with contextlib.suppress(OSError):
                replace(self.last, json.dumps(last).encode(), 0o600)
        note(f"restored {changed or 'nothing'}" + (f"; not yet: {failed}" if failed else ""))
        if not failed and self.armed.exists():
            self.armed.rename(self.restored)
            sync(self.folder)
            run("systemctl", "--no-block", "stop", "sparkfleet-guard-*.timer")
        return {"restored": True, **last}

    def state(self) -> dict[str, Any]:
        """Who armed the guard, if anybody, and what was restored last."""
        word = read(self.armed)
        if word is not None:
            word.pop("saved", None)
        return {"armed": word, "last": read(self.last)}

    def _undo(self) -> None:
        """From now on the old state comes back, whatever is asked for."""
        with contextlib.suppress(OSError), self.armed.open() as armed:  # nothing may keep a restore from its work
            self.armed.chmod(UNDOING)
            os.fsync(armed.fileno())

    def _same(self, wanted: str) -> None:
        word = read(self.armed)
        if word is None or word.get("id") != wanted:
            last = read(self.last) or {}
            if last.get("id") == wanted:
                raise RefusedError(f"the host has put its old state back at {last['when']}: {last['why']}")
            raise RefusedError("the guard is not armed, or by somebody else")
        if self.armed.stat().st_mode & 0o777 == UNDOING:
            raise RefusedError("the host has begun to put its old state back")

    def _install(self, source: str) -> None:
        """The guard as a program on the host, and its unit for the next boot."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(self.folder / "guard.py", (source + ENTRY).encode(), 0o600)
        unit, wants = self.at(f"{SYSTEM}/{BOOT}"), self.at(f"{SYSTEM}/sysinit.target.wants/{BOOT}")
        if not unit.exists() or unit.read_text() != BOOT_UNIT:
            replace(unit, BOOT_UNIT.encode(), 0o644)
        if not wants.is_symlink():
            wants.parent.mkdir(exist_ok=True)
            wants.symlink_to(f"{SYSTEM}/{BOOT}")
            sync(wants.parent)

    def _start_timer(self, name: str, window_s: int) -> None:
        """On CLOCK_MONOTONIC: no jump of the clock matters. Without AccuracySec systemd may be a minute late."""
        code, said = run(
            "systemd-run", f"--unit={timer(name).removesuffix('.timer')}", f"--on-active={window_s}",
            "--timer-property=AccuracySec=200ms", "--service-type=oneshot", "--property=Restart=on-failure",
            "--property=RestartSec=5", "--property=StartLimitIntervalSec=0", "--property=OOMScoreAdjust=-1000",
            "/usr/bin/python3", "-IS", f"{FOLDER}/guard.py", "restore", name, "nobody confirmed in time",
        )  # fmt: skip
        if code or not active(timer(name)):
            raise RefusedError(f"the dead-man timer could not be started: {said}")


def timer(name: str) -> str:
    """The dead-man timer's unit: one a change, so that a late one cannot end the next change."""
    return f"sparkfleet-guard-{name}.timer"


def read(path: Path) -> "dict[str, Any] | None":
    """A JSON file; None when it is not there, and nothing in it when it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def utc() -> str:
    """Now, for people; no decision rests on the clock."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def note(words: str) -> None:
    """One line in the journal."""
    syslog.syslog(syslog.LOG_WARNING, f"sparkfleet-guard: {words}")

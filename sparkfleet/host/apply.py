"""Changes → carried out on the hosts by ansible-runner: only the roles that the plan names, only where it names them.

The one edge that changes hosts. ansible-runner works in a process of its own (this module run with -m), with a minimal
environment, in a folder that is removed afterwards; `watch` sees to it that nothing survives a killed owner.
What hosts say to Ansible becomes neither variables nor templates: both could read files of the controller.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import ApplyError
from sparkfleet.host import inventory, watch
from sparkfleet.host.sources import PROJECT
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sparkfleet.host.desired import Desired
    from sparkfleet.host.plan import Change
    from sparkfleet.model import Fleet

# All that Ansible and ssh need of the controller's environment. Passphrases and cloud keys stay outside: ansible-runner
# writes the whole environment of a run into its artifacts.
ENVIRONMENT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR")
# Tasks that have nothing to do on any host of a run are skipped by tag: even a skipped task costs each host a process.
IDLE = {
    "packages": ("sparkfleet_packages",),
    "people": ("sparkfleet_users", "sparkfleet_users_gone"),
    "secrets": ("sparkfleet_secrets",),
    "stop": ("sparkfleet_stop",),
    "tailnet": ("sparkfleet_tailnet",),
    "merged": ("sparkfleet_merged",),
}
DEADLINE_S = 3600.0  # of a whole run: the first one installs packages over whatever line the host has
MOST_WORDS = 2000  # characters of a failure
MOST_MEMORY_BYTES = 2 << 30  # of each process of a run: Ansible keeps all that a host answers
TEMPLATE_MARKS = ("{{", "{%", "{#")
MODULES = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Work:
    """What one host needs: its desired state, what differs, and the address that answered."""

    desired: Desired
    changes: Sequence[Change]
    address: str


@dataclass
class Outcome:
    """What became of a host: `failure` is empty, or the task and the words it failed with."""

    changed_tasks: list[str] = field(default_factory=list)
    failure: str = ""


def apply(
    fleet: Fleet,
    work: Mapping[str, Work],
    *,
    say: Callable[[str], None] = lambda _: None,
    deadline_s: float = DEADLINE_S,
) -> dict[str, Outcome]:
    """Bring the hosts of `work` to their desired states in one run; one host's failure does not stop the others.

    Returns an Outcome a host; raises ApplyError only when the run itself could not be made, or was not done in time.
    """
    with _run_folder() as (folder, run):
        hosts = {}
        for name, host in work.items():
            tree_file = inventory.write_tree(folder / "trees", host.desired, host.changes)
            hosts[name] = inventory.host_variables(fleet, host.desired, host.changes, tree_file, host.address)
        (folder / "inventory.json").write_text(plain({"all": {"hosts": hosts}}))
        environment = {k: v for k in ENVIRONMENT if (v := os.environ.get(k))}
        environment |= _secret_variables(hosts) | _ansible_environment(folder, len(hosts))
        environment |= {watch.VARIABLE: run, "PYTHONPATH": str(MODULES)}
        # stderr into a file: nobody reads a second pipe while the events come, and a full one would stop the run.
        with (folder / "stderr").open("w+") as stderr:
            child = subprocess.Popen(
                [sys.executable, "-m", "sparkfleet.host.apply", str(folder), idle_tags(hosts)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
            outcomes = {name: Outcome() for name in work}
            with _deadline(run, deadline_s) as late:
                assert child.stdout is not None  # noqa: S101  (it is a pipe)
                for line in child.stdout:
                    _take(line, outcomes, say)
                code = child.wait()
            stderr.seek(0)
            last = (stderr.read().strip().splitlines() or ["it said nothing"])[-1]
    if late.is_set():
        raise ApplyError(
            f"the apply was not done within {deadline_s / 60:.0f} min and was ended.",
            usually="a package source is very slow, or a host holds the run on purpose.",
            next_step="look at the host; then run the same command again: it goes on where it stopped.",
        )
    if code and not any(outcome.failure for outcome in outcomes.values()):  # else the hosts say it themselves
        raise ApplyError(f"ansible-runner ended with code {code}: {printable(last)}")
    return outcomes


def idle_tags(hosts: Mapping[str, dict[str, Any]]) -> str:
    """The tags of tasks for which no host of the run has any work, as --skip-tags reads them."""
    return ",".join(tag for tag, names in IDLE.items() if not any(host[n] for host in hosts.values() for n in names))


def plain(inventory: dict[str, Any]) -> str:
    """The inventory as JSON text; raises ApplyError when Ansible would run something in it as a template."""
    text = json.dumps(inventory)
    for mark in TEMPLATE_MARKS:
        before, found, after = text.partition(mark)
        if found:
            where = printable(before[-40:] + found + after[:40])
            raise ApplyError(f"nothing was touched: this would be run as a template: {where}")
    return text


def _take(line: str, outcomes: dict[str, Outcome], say: Callable[[str], None]) -> None:
    """Note one event; a line that the child did not finish is none."""
    try:
        event = json.loads(line)
    except ValueError:
        return
    outcome, task = outcomes.get(event["host"]), printable(event["task"])
    if outcome and event["kind"] == "failed":
        outcome.failure = outcome.failure or f"{task}: {printable(event['message'], MOST_WORDS)}"
    elif outcome and event["kind"] == "changed":
        outcome.changed_tasks.append(task)
        say(f"{event['host']}: {task}")


@contextlib.contextmanager
def _deadline(run: str, seconds: float) -> Iterator[threading.Event]:
    """End the run when its time is over; the event says that it was."""
    late = threading.Event()

    def end() -> None:
        late.set()
        watch.sweep(run)

    clock = threading.Timer(seconds, end)
    clock.daemon = True
    clock.start()
    try:
        yield late
    finally:
        clock.cancel()


@contextlib.contextmanager
def _run_folder() -> Iterator[tuple[Path, str]]:
    """A private folder and an identity for one run, and a watcher that outlives us if we are killed."""
    run = uuid.uuid4().hex
    folder = Path(tempfile.mkdtemp(prefix="spark-"))  # short: ssh's ControlPath must stay under 108 bytes
    watcher = subprocess.Popen(
        [sys.executable, "-IS", watch.__file__, run, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        start_new_session=True,
    )
    assert watcher.stdin is not None  # noqa: S101
    try:
        yield folder, run
    finally:
        watch.sweep(run)
        watcher.stdin.close()
        watcher.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _secret_variables(hosts: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """The environment variables that env: references name; only these pass through."""
    references = [s["reference"] for host in hosts.values() for s in host["sparkfleet_secrets"].values()]
    references += [host["sparkfleet_tailnet_key"] for host in hosts.values() if host["sparkfleet_tailnet"]]
    names = [r.removeprefix("env:") for r in references if r.startswith("env:")]
    return {name: os.environ[name] for name in names if name in os.environ}


def _ansible_environment(folder: Path, forks: int) -> dict[str, str]:
    (folder / "ansible.cfg").write_text("")  # a real file, empty: no setting of the user's leaks in
    return {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "playbooks" / "collections"),
        "ANSIBLE_ROLES_PATH": str(PROJECT / "playbooks" / "roles"),
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_GATHERING": "explicit",
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_HOST_KEY_CHECKING": "True",  # ansible-runner sets False unless it finds it here
        # Else any module's answer could set any variable: which file of the controller is read and shipped, say.
        "ANSIBLE_INJECT_FACT_VARS": "False",
        "ANSIBLE_INVENTORY_ENABLED": "yaml",  # JSON is YAML; no other parser needs to be tried
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=15s -o ServerAliveInterval=15",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "ANSIBLE_TIMEOUT": "20",
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }


def main() -> int:
    """The child: run the playbook in the folder argv[1] without the tags argv[2]; print one JSON line an event."""
    import ansible_runner

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    folder = Path(sys.argv[1])
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever ansible-runner prints must not end up among the events

    def on_event(event: dict[str, Any]) -> bool:
        said = _said(event)
        if said:
            events.write(json.dumps(said) + "\n")
        return False  # keep no event files: they may hold what tasks returned

    result = ansible_runner.run(
        private_data_dir=str(folder),
        playbook=str(PROJECT / "playbooks" / "site.yml"),
        inventory=str(folder / "inventory.json"),
        event_handler=on_event,
        quiet=True,
        skip_tags=sys.argv[2] or None,
        suppress_env_files=True,
    )
    return int(result.rc or 0) if result.status in {"successful", "failed"} else 1


def _said(event: dict[str, Any]) -> dict[str, str] | None:
    """An ansible-runner event → what the parent wants to know of it."""
    data = event.get("event_data", {})
    task, host, result = str(data.get("task", "")), data.get("host", ""), data.get("res") or {}
    told = {name: str(result.get(name) or "") for name in ("msg", "stderr")}  # a module of a host's may say a list
    if event["event"] in {"runner_on_failed", "runner_on_unreachable"} and not data.get("ignore_errors"):
        words = told["msg"] or told["stderr"] or "no message"
        if told["stderr"] not in words:
            words = f"{words}: {told['stderr'].strip()}"
        return {"kind": "failed", "host": host, "task": task, "message": words[:MOST_WORDS]}
    if event["event"] == "runner_on_ok" and result.get("changed"):
        return {"kind": "changed", "host": host, "task": task, "message": ""}
    return None


if __name__ == "__main__":
    sys.exit(main())

"""Nothing → adopted and converged stand-ins (simulated) in a lab of their own, and nothing again at the end.

All of them have every role, so that one state is measured on each host; three people, so that 15 small files can be
touched without cutting the connection that the measurement goes over.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench.measure import BenchError
from lab import down, env, provision, shell, spark, stack
from lab.instance import CHECKOUT, Instance, host_names
from sparkfleet import config
from sparkfleet.host import sources
from sparkfleet.host.connection import Session, Target
from sparkfleet.host.desired import desired
from sparkfleet.host.parts import EXPORTER_PATH
from sparkfleet.host.survey import findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparkfleet.model import Fleet

INSTANCE = Instance.named("bench")
STACK = INSTANCE.name
CHANGED_FILES = 15
# What the measurement itself needs to get in, and the one file that is a megabyte: that would measure the copying.
LEFT_ALONE = ("/etc/ssh/sshd_config.d/", "/etc/sudoers.d/", "/etc/ssh/authorized_keys/sparkfleet", EXPORTER_PATH)
PEOPLE = ("bob", "carol")


@contextmanager
def stand_ins(count: int, say: Callable[[str], None]) -> Iterator[Fleet]:
    """`count` stand-ins as the product leaves them; removed at the end, also after a failure."""
    names = host_names(count)
    with described(count, say) as fleet:
        adopt(names, say)
        say(f"first convergence of {count} stand-ins")
        shell.run(sys.executable, Path(__file__).with_name("product.py"), STACK, *names, env=environment())
        yield fleet


@contextmanager
def described(count: int, say: Callable[[str], None]) -> Iterator[Fleet]:
    """A description of so many hosts, and no host yet; all that was made is removed at the end."""
    stack_file = stack.file(INSTANCE, STACK)
    down.down(INSTANCE.name)
    try:
        stack_file.write_text(yaml.safe_dump(description(count), sort_keys=False))
        yield config.load(STACK, CHECKOUT)
    finally:
        say("removing the stand-ins")
        down.down(INSTANCE.name)
        stack_file.unlink(missing_ok=True)


def adopt(names: list[str], say: Callable[[str], None]) -> None:
    """Boot factory machines and adopt them."""
    say(f"booting and adopting {', '.join(names)} (simulated)")
    spark.boot(INSTANCE, names)
    for name in names:
        shell.run(*provision.adopt(INSTANCE, name), env=environment(), cwd=CHECKOUT)


def description(count: int) -> dict[str, Any]:
    """The example's description with `count` hosts of every role, three people and no object store."""
    pattern = yaml.safe_load((CHECKOUT / stack.PATTERN).read_text())
    made = stack.describe(pattern, INSTANCE, count)
    settings = made["config"]
    for host in settings[stack.HOSTS].values():
        host["roles"] = settings[stack.HOSTS][stack.FIRST]["roles"]
    users = settings["sparkfleet:access"]["users"]
    users.update({person: {**users["alice"], "sudo": False} for person in PEOPLE})
    settings["sparkfleet:cloud"] = {"provider": "none"}
    return made


def environment() -> dict[str, str]:
    """What a user's shell has after `eval "$(make -s env)"`."""
    return {**os.environ, **env.process(INSTANCE, STACK)}


def touchable(fleet: Fleet, host: str) -> list[str]:
    """The described files that are changed for a measurement: always the same ones."""
    files = desired(fleet, host, sources.read(fleet)).files
    found = [path for path in files if not path.startswith(LEFT_ALONE)][:CHANGED_FILES]
    if len(found) < CHANGED_FILES:
        raise BenchError(f"only {len(found)} described files can be touched, {CHANGED_FILES} are wanted")
    return found


def touch(fleet: Fleet, hosts: list[str]) -> None:
    """Append a line to 15 described files on every host, as a hand in a hurry would."""
    on_all(fleet, {host: "".join(f"echo '# drift' >> {path}\n" for path in touchable(fleet, host)) for host in hosts})


def add_apt_module(fleet: Fleet, hosts: list[str]) -> None:
    """Python's apt module, without which Ansible's does not work: DGX OS has it, the stand-ins only a package of it."""
    on_all(fleet, dict.fromkeys(hosts, "DEBIAN_FRONTEND=noninteractive apt-get install -yq python3-apt\n"))


def on_all(fleet: Fleet, scripts: dict[str, str]) -> None:
    """Run each host's script as root."""

    def one(host: str) -> None:
        with Session(Target.of(fleet, host)) as session:
            result = session.run("sudo -n sh -e", stdin=scripts[host])
        if result.code:
            raise BenchError(f"{host}: {result.stderr}")

    with ThreadPoolExecutor(len(scripts)) as pool:
        list(pool.map(one, scripts))


def require_as_described(fleet: Fleet, hosts: list[str], after: str, *, but: str = "nothing") -> None:
    """Raise BenchError unless the probe finds every host as described: whoever just ran made the same state.

    `but`: a kind of setting that only the product makes.
    """
    for found in findings(fleet, hosts):
        changes = [change for change in found.changes if not change.key.startswith(f"{but}:")]
        if found.error or changes:
            left = found.error or ", ".join(f"{c.key}: {c.before} → {c.after}" for c in changes)
            raise BenchError(f"after {after}, {found.host} is not as described: {left}")

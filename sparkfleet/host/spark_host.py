"""A described host → a Pulumi resource over observe, plan, apply and verify.

State: the import path of `SparkHostProvider` is written into it (pickled by reference), so this name is for good.
Inputs are a flat map of settings, so that `preview --diff` names each setting that will change; where the host is
stands outside the diff. No secret value is in inputs or outputs: a name and the id of a key stand for it.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pulumi  # noqa: TC002  (Pulumi reads the annotations of a resource)
from pulumi import ResourceOptions  # noqa: TC002
from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from sparkfleet import audit, config
from sparkfleet.cloud import overlap
from sparkfleet.cloud.sessions import note
from sparkfleet.errors import SparkfleetError
from sparkfleet.host.connection import Target
from sparkfleet.host.converge import converge, same_machine
from sparkfleet.host.desired import File, secret_setting
from sparkfleet.host.observe import observe
from sparkfleet.host.parts import sessions
from sparkfleet.host.sources import PROJECT
from sparkfleet.model import Fleet, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.host.desired import Desired

OUTSIDE_THE_DIFF = ("addresses", "port", "user", "sysfs")


class SparkHostProvider(ResourceProvider):
    """What Pulumi calls. Its only attribute is the fleet, read from the stack's configuration at start."""

    serialize_as_secret_always = False
    _fleet: Fleet

    def configure(self, req: ConfigureRequest) -> None:
        """Read the description from what the engine hands over; leave when the engine does."""
        names = [f"{config.NAMESPACE}:{key}" for key in Fleet.model_fields]
        values = {name: value for name in names if (value := req.config.get(name)) is not None}
        self._fleet = config.from_engine(values, PROJECT)
        _leave_with_the_engine()

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the recorded settings with the described ones; no host is contacted."""
        # `reset` is read from the state when the description no longer has the host: it must be brought there.
        differs = olds.get("settings") != news.get("settings") or bool(olds.get("reset")) != bool(news.get("reset"))
        return DiffResult(changes=differs, replaces=[], delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Bring the host to its description, whatever state it is in."""
        facts = self._converge(props)
        return CreateResult(facts["machine_id"], {**props, "machine_id": facts["machine_id"]})

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:  # noqa: ARG002
        """Bring the host to its new description."""
        self._converge(news, _id)
        return UpdateResult({**news, "machine_id": _id})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Observe the host, so that `pulumi refresh` shows drift; raises when it cannot be reached."""
        target = self._target(props)
        observed = observe(target, props["settings"], sysfs=props["sysfs"])
        same_machine(props["host"], id_, observed.facts)
        inputs = {k: v for k, v in props.items() if k != "machine_id"} | {"settings": observed.settings}
        return ReadResult(id_, {**inputs, "machine_id": id_}, inputs=inputs)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Leave the machine as it is; where `reset` was described, make it what it was before the first apply."""
        if not props.get("reset"):
            print(f"{props['host']} was left as it is; nothing on it was changed", flush=True)
            return
        from sparkfleet.host.reset import reset

        done = reset(self._fleet, self._target(props), say=_say)
        for what, why in done.left.items():
            _say(f"{done.host}: left: {what}: {why}")

    def _target(self, props: dict[str, Any]) -> Target:
        """Where the host is now: as described, or as recorded when it left the description."""
        if props["host"] in self._fleet.hosts:
            return Target.of(self._fleet, props["host"])
        controller = self._fleet.controller
        return Target(
            name=props["host"],
            addresses=tuple(props["addresses"]),
            port=int(props["port"]),
            user=props["user"],
            private_key=controller.private_key,
            known_hosts=controller.known_hosts,
            connect_timeout_s=controller.connect_timeout_s,
        )

    def _converge(self, props: dict[str, Any], known: str | None = None) -> dict[str, str]:
        name = props["host"]
        if name not in self._fleet.hosts:
            raise SparkfleetError(f"{name} is not in the description", next_step="run `pulumi up` again.")
        if props.get("session"):
            note(self._fleet.controller, name, props["session"])
        facts = converge(self._fleet, name, props["settings"], known=known, say=_say).facts
        overlap.note(self._fleet, name)
        audit.ship_waiting(self._fleet)
        return facts


class SparkHost(Resource, module="spark", name="Host"):
    """One Spark, as described."""

    settings: pulumi.Output[dict[str, str]]
    machine_id: pulumi.Output[str]

    def __init__(
        self,
        fleet: Fleet,
        desired: Desired,
        versions: Mapping[str, pulumi.Output[str]] = MappingProxyType({}),
        opts: ResourceOptions | None = None,
        *,
        session: pulumi.Output[str] | None = None,
    ) -> None:
        """Register the host under its name; the name is state: another name is another resource.

        `versions`: by name, which version of a secret the host is to hold; its settings then wait for it. `session`:
        what it is told of the account, known once that is made.
        """
        host = fleet.hosts[desired.host]
        settings: dict[str, pulumi.Input[str]] = dict(desired.settings)
        for parts in desired.parts.values():
            for path, secret in parts.secrets.items():
                if secret.name in versions:
                    settings[f"secret:{path}"] = versions[secret.name].apply(partial(secret_setting, secret))
        if session is not None:
            settings[f"file:{sessions.CONFIG}"] = session.apply(lambda text: File(text.encode(), Role.BASE).setting)
        super().__init__(
            SparkHostProvider(),
            desired.host,
            {
                "host": desired.host,
                "addresses": host.addresses,
                "port": host.port,
                "user": fleet.controller.user,
                "sysfs": str(host.sysfs),
                "reset": host.reset,
                "settings": settings,
                **({"session": session} if session is not None else {}),
                "machine_id": None,
            },
            opts,
        )


def _say(line: str) -> None:
    print(line, flush=True)


def _leave_with_the_engine() -> None:
    """End this process when the `pulumi` that started it is gone, also when it was killed.

    Otherwise a provider would finish an apply that nobody waits for. `host.watch` then ends what apply had started.
    """
    engine = _ancestor("pulumi")
    if engine is None:  # started by a test, or on a system without /proc
        return
    handle = os.pidfd_open(engine)

    def wait() -> None:
        import select

        select.select([handle], [], [])
        os._exit(1)

    threading.Thread(target=wait, name="engine-watch", daemon=True).start()


def _ancestor(name: str) -> int | None:
    """The nearest ancestor process with that command name."""
    pid = os.getppid()
    while pid > 1:
        try:
            words = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        command, rest = words[words.index("(") + 1 : words.rindex(")")], words[words.rindex(")") + 2 :].split()
        if command == name:
            return pid
        pid = int(rest[1])
    return None

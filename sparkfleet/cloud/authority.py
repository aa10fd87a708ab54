"""Fleet → its own certificate authority, made and kept on the controller, as a Pulumi resource.

`sparkfleet.cloud.authority_files` does the work.

State: the import path of `AuthorityProvider` is written into it (pickled by reference), so this name is for good. It
holds certificates and digests, never a key.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import ResourceOptions
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from sparkfleet.authority import CONFIGURATION, ISSUING
from sparkfleet.cloud import overlap
from sparkfleet.cloud.authority_files import described, ensure, held, held_digest, text, told
from sparkfleet.errors import SparkfleetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.model import Fleet

INPUTS = ("fleet", "folder", "generation", "hosts", "names", "port", "lifetime_s")
OUTPUTS = ("issuing", "root", "fingerprint", "held")


class AuthorityProvider(ResourceProvider):
    """Keeps the folder as described; never makes a second root over a first one."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the authority, or take over the one that the folder has."""
        return CreateResult(str(props["fleet"]), self._converge(props))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare every input, and what the controller holds with what it held."""
        changed = [key for key in INPUTS if olds.get(key) != news.get(key)]
        return DiffResult(changes=bool(changed) or news["held"] != olds.get("held"), replaces=[])

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Bring the folder to the new description; raises SparkfleetError when the root that hosts trust is lost."""
        root = Path(str(news["folder"])) / "root.crt"
        if not root.exists() or text(root) != olds["root"]:
            raise SparkfleetError(
                f"{root} is not the root certificate that the fleet's hosts trust; nothing was touched",
                usually="the controller's folder was lost, or is another fleet's",
                next_step="put the folder back from its backup; docs/guides/identity.md says how to begin anew",
            )
        return UpdateResult(self._converge(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Say what the controller holds now."""
        held = held_digest(Path(str(props["folder"])), int(props["generation"]))
        inputs = {key: props[key] for key in INPUTS} | {"held": held}
        return ReadResult(id_, {**props, "held": held}, inputs=inputs)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Keep the keys: certificates that they signed are still about."""
        print(f"the authority's keys were kept in {props['folder']}; delete them by hand", flush=True)

    @staticmethod
    def _converge(props: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {key: props[key] for key in INPUTS}
        overlap.note_all(Path(str(props["folder"])), int(props["generation"]))
        return wanted | ensure(wanted, dt.datetime.now(dt.UTC))


class Authority(pulumi.dynamic.Resource, module="sparkfleet", name="Authority"):
    """The fleet's certificate authority."""

    issuing: pulumi.Output[str]
    """PEM of the issuing certificate in force."""

    root: pulumi.Output[str]
    fingerprint: pulumi.Output[str]
    """Of the issuing certificate, SHA-256 in hex."""

    held: pulumi.Output[str]
    """Digest of step-ca's configuration, which holds nothing that is secret."""

    @property
    def anchor(self) -> pulumi.Output[str]:
        """PEM of what an account trusts: that certificate, and for a while the one before."""
        return self.issuing.apply(lambda issuing: overlap.bundle(issuing, self.before))

    @property
    def versions(self) -> dict[str, pulumi.Output[str]]:
        """By name of the secret, the version that the hosts are to have; unknown until it is made."""
        both = pulumi.Output.all(self.issuing, self.held)
        every = both.apply(lambda made: told(*made))
        return {name: every[name] for name in (ISSUING, CONFIGURATION)}

    def __init__(self, fleet: Fleet, opts: ResourceOptions | None = None) -> None:
        """Describe the authority of `fleet`, which has a host with that role."""
        wanted = described(fleet)
        self.before = overlap.before(fleet, dt.datetime.now(dt.UTC))
        props = {**wanted, **dict.fromkeys(OUTPUTS), "held": held(wanted)}
        super().__init__(AuthorityProvider(), fleet.fleet, props, opts or ResourceOptions(protect=True))

"""Fleet → the object store's buckets and one identity a host, on the provider that the description names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sparkfleet.cloud import sessions
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulumi import Output, Resource

    from sparkfleet.cloud.authority import Authority
    from sparkfleet.cloud.aws import Account
    from sparkfleet.model import Fleet


@dataclass(frozen=True)
class CloudResources:
    """What the rest of the program needs of the cloud."""

    identities: Mapping[str, Resource] = field(default_factory=dict)
    """Host name → the resource that must exist before the host can be given its access to the store."""

    versions: Mapping[str, Output[str]] = field(default_factory=dict)
    """Name of a secret → the version that the controller will hold: a key's id, a certificate's fingerprint."""

    sessions: Mapping[str, Output[str]] = field(default_factory=dict)
    """In an AWS account: host name → what the host is told to ask a session of, as text of its file."""

    authority: Authority | None = None
    """The fleet's certificate authority, which must exist before the hosts that run it or ask it."""

    buckets: Mapping[str, Output[str]] = field(default_factory=dict)
    """"datasets", "models" and "audit" → the bucket's name."""

    end_old_keys: Callable[[str, Resource], None] = lambda _host, _given: None
    """Called with each host and its resource: keys that the host was given successors of end after it."""

    controller_policy: Output[str] | None = None
    """In an AWS account: the policy to attach to the controller's own identity, so that it can ship audit records."""

    told: Mapping[str, Output[str]] = field(default_factory=dict)
    """In an AWS account: what people write into the description afterwards, such as the id of a new workspace."""


def provide(fleet: Fleet, rules: Iterable[str]) -> CloudResources:
    """Register the cloud resources of `fleet`; with `provider: none` there are none and no cloud library loads.

    `rules`: the texts of the exporters' rule files, for an account whose AMP workspace evaluates the alerts.
    """
    if not fleet.with_role(Role.AUTHORITY):
        return _provided(fleet, rules, None)
    from sparkfleet.cloud.authority import Authority

    authority = Authority(fleet)
    found = _provided(fleet, rules, authority)
    return replace(found, authority=authority, versions={**found.versions, **authority.versions})


def _provided(fleet: Fleet, rules: Iterable[str], authority: Authority | None) -> CloudResources:
    # Imported late: pulumi_aws costs a second, and who has no account should not pay for it.
    if fleet.cloud.provider == "onprem" and fleet.cloud.onprem:
        from pulumi import ResourceOptions

        from sparkfleet.cloud.only_key import OnlyKey
        from sparkfleet.cloud.store import Store

        where = fleet.cloud.onprem
        store = Store(fleet, where)

        def end_old_keys(host: str, given: Resource) -> None:
            OnlyKey(host, store.identities[host], where, ResourceOptions(depends_on=[given]))

        return CloudResources(
            identities=store.identities,
            versions={f"s3/{name}": identity.access_key_id for name, identity in store.identities.items()},
            buckets={purpose: bucket.bucket for purpose, bucket in store.buckets.items()},
            end_old_keys=end_old_keys,
        )
    if fleet.cloud.provider == "aws" and fleet.cloud.aws:
        from pulumi import warn

        from sparkfleet.cloud.aws import Account

        if authority and authority.before:
            warn(authority.before.told, authority)
        account = Account(fleet, fleet.cloud.aws, rules, authority_pem=authority.anchor if authority else None)
        return CloudResources(
            identities=account.identities,
            buckets={purpose: bucket.bucket for purpose, bucket in account.buckets.items()},
            controller_policy=account.controller_policy,
            told=account.told,
            sessions=dict.fromkeys(fleet.hosts, told) if (told := _told(account, fleet.cloud.aws.region)) else {},
        )
    return CloudResources()


def _told(account: Account, region: str) -> Output[str] | None:
    """What every host is told to ask a session of; nothing in an account without an authority."""
    from pulumi import Output

    if not (hosts := account.hosts):
        return None
    arns = Output.all(hosts.anchor.arn, hosts.profile.arn, hosts.role.arn)
    return arns.apply(lambda known: sessions.text(region, *known))

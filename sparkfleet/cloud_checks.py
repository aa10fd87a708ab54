"""A raw description → what is wrong with its object store: names that are reserved, and prefixes that overlap.

Works on unchecked data, as `cross_checks` does, which asks it. Names that somebody else has are told by the store
alone: `sparkfleet.cloud.names`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONTROLLER, CALYPSO, STATE = "controller", "calypso", "state"
OWN_TAGS = ("project", "fleet", "purpose")
SHARED = "shared/"
LONGEST_USER = 64
"""Characters (IAM user guide, "IAM name requirements")."""


class Place(NamedTuple):
    """Where in which bucket something lies, and where in the description that is said."""

    path: str
    bucket: str
    prefix: str


def cloud_faults(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """Every such fault, in no order."""
    cloud = _map(raw.get("cloud"))
    reserved = {CONTROLLER: "the controller's", STATE: "the Pulumi state's"}
    reserved |= {CALYPSO: "Calypso's"} if cloud.get("calypso") is True else {}
    generations, tags = _map(cloud.get("generations")), _map(cloud.get("tags"))
    return [
        *_sections(cloud),
        *(f"cloud.generations.{n}: no such host" for n in generations if n not in {*hosts, *reserved}),
        *(
            f"hosts.{n}: is the name of {whose} own identity; give the host another"
            for n, whose in reserved.items()
            if n in hosts
        ),
        *(f"cloud.tags.{key}: is written by sparkfleet itself" for key in OWN_TAGS if key in tags),
        *_unheard(_map(cloud.get("aws"))),
        *_users(raw, cloud, hosts),
        *_prefixes(raw, cloud),
    ]


def _sections(cloud: Mapping[str, Any]) -> list[str]:
    return [
        f"cloud.{provider}: missing; provider {provider} needs this section"
        for provider in ("aws", "onprem")
        if cloud.get("provider") == provider and cloud.get(provider) is None
    ]


def _unheard(aws: Mapping[str, Any]) -> Iterator[str]:
    """What watches the money tells somebody."""
    for switch in ("budget_usd", "cost_anomaly_usd"):
        if aws.get(switch) and not aws.get("alarm_mail"):
            yield f"cloud.aws.alarm_mail: missing; {switch} would tell nobody"


def _users(raw: Mapping[str, Any], cloud: Mapping[str, Any], hosts: Mapping[str, Any]) -> Iterator[str]:
    """A host's user in the store is called after the fleet and the host."""
    if cloud.get("provider") == "onprem":
        for host in hosts:
            user = f"{raw.get('fleet')}-{host}"
            if len(user) > LONGEST_USER:
                yield f"hosts.{host}: {user} is its user's name in the store, which may have {LONGEST_USER} characters"


def _prefixes(raw: Mapping[str, Any], cloud: Mapping[str, Any]) -> Iterator[str]:
    """Nothing lies within something else, and what hosts mirror lies where their own key reads."""
    datasets, provider = _map(raw.get("datasets")), cloud.get("provider", "none")
    base = _map(cloud.get("aws")).get("bucket_prefix") if provider == "aws" else raw.get("fleet")
    own = f"{base}-datasets"
    sets = [
        _place(f"datasets.sets.{name}.prefix", _map(each), own, f"{SHARED}{name}")
        for name, each in _map(datasets.get("sets")).items()
    ]
    served = _place(
        "label.models.prefix", _map(_map(raw.get("label")).get("models")), f"{base}-models", "calypso", empty=True
    )
    for at, place in enumerate(sets):
        # Two sets may be two versions in one place; a set and the models may not share one.
        beside = [other for other in sets[:at] if other.prefix != place.prefix] + [served]
        for other in beside:
            if place.bucket == other.bucket and (_within(place, other) or _within(other, place)):
                yield f"{place.path}: {place.prefix} overlaps {other.prefix or 'the whole bucket'} of {other.path}"
        readable = place.bucket != own or place.prefix.startswith(SHARED) or datasets.get("aws_profile")
        if provider != "none" and not readable:
            yield f"{place.path}: expected a prefix below {SHARED}, which every host may read, found {place.prefix}"


def _place(path: str, section: Mapping[str, Any], bucket: str, prefix: str, *, empty: bool = False) -> Place:
    """What the section says, or these; `empty`: an empty prefix is the whole bucket, not the one given here."""
    said = section.get("prefix")
    known = isinstance(said, str) and (said or empty)
    return Place(path, str(section.get("bucket") or bucket), str(said) if known else prefix)


def _within(inner: Place, outer: Place) -> bool:
    return inner.prefix == outer.prefix or not outer.prefix or inner.prefix.startswith(f"{outer.prefix}/")


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

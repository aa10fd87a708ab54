"""What the mocked engine was asked for → a plan as Terraform writes it, in which checkov reads.

Pulumi's AWS resources are Terraform's, renamed: type tokens, camelCase, lists in the plural, and a block that stands
at most once is no list. What is not in the tables below follows those rules.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.sparkfleet.cloud.recorded import Resource

SERVICES = {"amp": "prometheus", "costexplorer": "ce"}
TYPES = {"aws:cloudtrail/trail:Trail": "aws_cloudtrail"}
SINGULAR = {"rules", "transitions", "noncurrentVersionTransitions", "notifications", "eventSelectors",
            "advancedEventSelectors", "fieldSelectors", "costFilters", "subscribers", "destinations"}  # fmt: skip
MAPS = {"tags", "tagsAll", "dimensions"}


def plan(resources: Iterable[Resource]) -> dict[str, Any]:
    """The plan of a stack that has nothing yet."""
    changes, configuration = [], []
    for resource in resources:
        kind, name = terraform_type(resource.asked.type), resource.asked.name
        place = {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name}
        values = {key: value for part in resource.asked.properties.items() for key, value in [_attribute(*part)]}
        changes.append({**place, "values": values, "schema_version": 0})
        expressions = {snake(key): {"references": _references(needs)} for key, needs in resource.needs.items() if needs}
        configuration.append({**place, "expressions": expressions})
    created = [{**c, "change": {"actions": ["create"], "before": None, "after": c["values"]}} for c in changes]
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {"root_module": {"resources": changes}},
        "resource_changes": created,
        "configuration": {"root_module": {"resources": configuration}},
    }


def terraform_type(token: str) -> str:
    """`aws_s3_bucket_policy` of `aws:s3/bucketPolicy:BucketPolicy`."""
    _, place, kind = token.split(":")
    service = place.partition("/")[0]
    return TYPES.get(token, f"aws_{SERVICES.get(service, service)}_{snake(kind)}")


def snake(name: str) -> str:
    """`bucket_key_enabled` of `bucketKeyEnabled`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _attribute(key: str, value: Any) -> tuple[str, Any]:
    if key in MAPS:
        return snake(key), value
    name = snake(key)
    return name.removesuffix("s") if key in SINGULAR else name, _value(value)


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return [dict(_attribute(*part) for part in value.items())]
    if isinstance(value, list):
        return [
            part[0] if isinstance(part := _value(each), list) and isinstance(each, dict) else part for each in value
        ]
    return value


def _references(needs: list[tuple[str, str]]) -> list[str]:
    named = [f"{terraform_type(typ)}.{name}" for typ, name in needs if typ.startswith("aws:")]
    return [reference for each in named for reference in (f"{each}.id", each)]

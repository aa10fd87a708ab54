"""The fleet description → object store, identities and every host. Run by Pulumi: `pulumi preview --diff`, `pulumi up`.

The parts: sparkfleet.config reads the stack, sparkfleet.cloud makes the store, sparkfleet.host brings hosts to their
described state. `spark plan` and `spark verify` look at the same hosts without Pulumi.
"""

from __future__ import annotations

import os

import pulumi
from pulumi.runtime.config import get_config_env

from sparkfleet import config
from sparkfleet.cloud.grafana import GrafanaContent
from sparkfleet.cloud.provide import provide
from sparkfleet.errors import SparkfleetError
from sparkfleet.host import sources
from sparkfleet.host.desired import desired
from sparkfleet.host.parts.identity import asked, authority_first
from sparkfleet.host.roles import DASHBOARDS
from sparkfleet.host.spark_host import SparkHost


def program() -> None:
    """Register everything; every fault of the description is reported before anything is touched."""
    fleet = config.from_engine(get_config_env(), sources.PROJECT)
    read = sources.read(fleet)
    wanted = {name: desired(fleet, name, read) for name in fleet.hosts}
    if len(wanted) > 1 and os.environ.get("PULUMI_CONTINUE_ON_ERROR") != "true":
        pulumi.warn(
            "PULUMI_CONTINUE_ON_ERROR is not true: when one host fails, Pulumi starts no other. "
            'Run `eval "$(make -s env)"`, or export it, to let the others converge.'
        )
    cloud = provide(fleet, read.rules.values())
    made: dict[str, SparkHost] = {}
    for name in authority_first(fleet):
        before = [cloud.identities.get(name), cloud.authority, *(made[other] for other in asked(fleet, name))]
        opts = pulumi.ResourceOptions(depends_on=[resource for resource in before if resource])
        made[name] = SparkHost(fleet, wanted[name], cloud.versions, opts, session=cloud.sessions.get(name))
        cloud.end_old_keys(name, made[name])
    if fleet.monitoring.grafana.mode == "push":
        GrafanaContent(fleet, [read.raw[path].decode() for path in DASHBOARDS], read.rules.values())
    pulumi.export("fleet", fleet.fleet)
    pulumi.export("hosts", {name: host.addresses for name, host in fleet.hosts.items()})
    pulumi.export("buckets", dict(cloud.buckets))
    if cloud.controller_policy:
        pulumi.export("controller_policy", cloud.controller_policy)
    for name, told in cloud.told.items():
        pulumi.export(name, told)


try:
    program()
except SparkfleetError as error:
    # Without a traceback: the message is meant for whoever wrote the description.
    raise pulumi.RunError(str(error)) from None

"""Fleet → its buckets and identities in a store on the premises, as one Pulumi component."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceOptions

from sparkfleet.cloud import capabilities, contents
from sparkfleet.cloud.names import Names
from sparkfleet.cloud.onprem import Bucket, Identity

if TYPE_CHECKING:
    from sparkfleet.clouds import Onprem
    from sparkfleet.model import Fleet


class Store(pulumi.ComponentResource):
    """The fleet's part of the store: what `contents` describes. What the store cannot do is said in every preview.

    State: the logical names (the buckets' own, the hosts', "controller", "calypso", "names") are part of it.
    """

    buckets: dict[str, Bucket]
    identities: dict[str, Identity]
    """By host; the controller's and Calypso's are none of these."""

    def __init__(self, fleet: Fleet, where: Onprem, opts: ResourceOptions | None = None) -> None:
        """Register everything under one component named after the fleet: names, then buckets, then identities."""
        super().__init__("sparkfleet:cloud:Store", fleet.fleet, None, opts)
        if missing := capabilities.lacks(fleet):
            words = "".join(f"\n- {each}" for each in missing)
            pulumi.log.warn(f"what this store ({where.store}) does not do, and an AWS account would:{words}", self)
        wanted = contents.buckets(fleet, tls=where.endpoint.startswith("https://"))
        controller = contents.controller_identity(fleet)
        names = [each["bucket"] for each in wanted.values()]
        free = Names(fleet.fleet, names, controller["user"], where, ResourceOptions(parent=self))
        after_names = ResourceOptions(parent=self, depends_on=[free])
        self.buckets = {purpose: Bucket(each["bucket"], each, where, after_names) for purpose, each in wanted.items()}
        after_buckets = ResourceOptions(parent=self, depends_on=list(self.buckets.values()))
        self.identities = {
            host: Identity(host, contents.host_identity(fleet, host), where, after_buckets) for host in fleet.hosts
        }
        Identity(contents.CONTROLLER, controller, where, after_buckets)
        if fleet.cloud.calypso:
            Identity(contents.CALYPSO, contents.calypso_identity(fleet), where, after_buckets)
        self.register_outputs({purpose: bucket.bucket for purpose, bucket in self.buckets.items()})

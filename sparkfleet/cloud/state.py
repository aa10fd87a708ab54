"""Fleet → the bucket for its own Pulumi state, made before everything else by a stack of its own (bootstrap/).

On AWS: mocked (tests/sparkfleet/cloud/test_state.py). On the premises: run on the lab's kind of store
(tests/sparkfleet/cloud/test_drill_state.py). How people use it: docs/guides/state.md.

State: the logical names below are part of the bootstrap stack's state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceOptions

from sparkfleet.cloud import state_access
from sparkfleet.errors import ConfigError

if TYPE_CHECKING:
    from sparkfleet.clouds import Onprem
    from sparkfleet.model import Fleet


class StateStore(pulumi.ComponentResource):
    """The state's bucket in a store on the premises, and the one identity that may use it."""

    def __init__(self, fleet: Fleet, where: Onprem, opts: ResourceOptions | None = None) -> None:
        """Register bucket and identity; neither is removed by `pulumi destroy` while `protect` stands here."""
        from sparkfleet.cloud.onprem import Bucket, Identity

        super().__init__("sparkfleet:cloud:StateStore", fleet.fleet, None, opts)
        wanted = state_access.onprem_bucket(fleet, tls=where.endpoint.startswith("https://"))
        kept = ResourceOptions(parent=self, protect=True)
        bucket = Bucket(state_access.STATE, wanted, where, kept)
        after = ResourceOptions.merge(kept, ResourceOptions(depends_on=[bucket]))
        Identity(state_access.STATE, state_access.onprem_identity(fleet), where, after)
        self.register_outputs({"bucket": bucket.bucket})


def provide_state(fleet: Fleet) -> dict[str, pulumi.Input[str]]:
    """Register the bucket where the description's store is; what people do next, by name, to be exported.

    Raises ConfigError when the description has no store.
    """
    if fleet.cloud.provider == "onprem" and (store := fleet.cloud.onprem):
        StateStore(fleet, store)
        return {"backend": state_access.onprem_url(fleet, store), "profile": state_access.profile(fleet, store)}
    if fleet.cloud.provider == "aws" and (account := fleet.cloud.aws):
        # pulumi_aws costs a second, and who has no account should not pay for it.
        from sparkfleet.cloud.account.state import StateAccount

        return {
            "backend": state_access.aws_url(fleet, account),
            "secrets_provider": state_access.secrets_provider(fleet, account),
            "operator_policy": StateAccount(fleet, account).operator_policy,
        }
    raise ConfigError(["cloud.provider: none has no store to keep a state in; describe one, or keep it in a folder"])

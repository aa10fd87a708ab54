"""Every control of the compliance pack → the mutation that makes it fail, or why a stand-in has none."""

from __future__ import annotations

from tests.e2e import (
    mutations_access,
    mutations_alignment,
    mutations_connectx,
    mutations_containers,
    mutations_gpu,
    mutations_identity,
    mutations_label,
    mutations_memory,
    mutations_node,
    mutations_roles,
    mutations_sharing,
)
from tests.e2e.mutations_roles import NOT_HERE

__all__ = ["MUTATIONS", "NOT_HERE"]

MUTATIONS = [
    *mutations_access.MUTATIONS,
    *mutations_alignment.MUTATIONS,
    *mutations_roles.MUTATIONS,
    *mutations_connectx.MUTATIONS,
    *mutations_containers.MUTATIONS,
    *mutations_gpu.MUTATIONS,
    *mutations_identity.MUTATIONS,
    *mutations_memory.MUTATIONS,
    *mutations_node.MUTATIONS,
    *mutations_label.MUTATIONS,
    *mutations_sharing.MUTATIONS,
]

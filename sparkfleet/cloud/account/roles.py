"""Certificates of one authority → roles without keys: one for all hosts, one for Calypso, both below one ceiling.

A holder presents its certificate to IAM Roles Anywhere and gets a session of at most an hour; the certificate's common
name decides whose it is. State: the type tokens and logical names below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from sparkfleet.cloud import policies

if TYPE_CHECKING:
    from collections.abc import Iterable

SESSION_S = 3600
CALYPSO = "calypso"
"""The common name in Calypso's certificate; no host has it (cross_checks)."""


class HostRole(pulumi.ComponentResource):
    """One role for all hosts, reached by certificate; the common name decides which prefix a session may use."""

    anchor: aws.rolesanywhere.TrustAnchor
    role: aws.iam.Role
    profile: aws.rolesanywhere.Profile

    def __init__(  # noqa: PLR0913, PLR0917  (what a role is)
        self,
        fleet: str,
        hosts: Iterable[str],
        certificate: pulumi.Input[str],
        access: Output[str],
        ceiling: Output[str],
        opts: ResourceOptions,
    ) -> None:
        """Register trust anchor, role, policy and profile.

        `certificate`: the authority's, in PEM. `access`: the policy. `ceiling`: the ARN of the permissions boundary.
        """
        super().__init__("sparkfleet:cloud:HostRole", f"{fleet}-hosts", None, opts)
        child = ResourceOptions(parent=self)
        self.anchor = aws.rolesanywhere.TrustAnchor(
            "hosts",
            name=f"{fleet}-hosts",
            enabled=True,
            source={"source_type": "CERTIFICATE_BUNDLE", "source_data": {"x509_certificate_data": certificate}},
            opts=child,
        )
        described = "What a Spark of the fleet may do; its certificate's common name is its prefix"
        self.role = _role("hosts", f"{fleet}-hosts", described, _trust(self.anchor, hosts), ceiling, child)
        self.profile = _profile("hosts", f"{fleet}-hosts", self.role, access, child)
        self.register_outputs({"role": self.role.arn, "profile": self.profile.arn})


class CalypsoRole(pulumi.ComponentResource):
    """The role of the server that serves the fleet's models: it reads them and can do nothing else."""

    role: aws.iam.Role
    profile: aws.rolesanywhere.Profile

    def __init__(
        self,
        fleet: str,
        anchor: aws.rolesanywhere.TrustAnchor,
        access: Output[str],
        ceiling: Output[str],
        opts: ResourceOptions,
    ) -> None:
        """Register role, policy and profile for the certificate that says "calypso", from the hosts' authority."""
        super().__init__("sparkfleet:cloud:CalypsoRole", f"{fleet}-{CALYPSO}", None, opts)
        child = ResourceOptions(parent=self)
        described = "What the server may do that serves the fleet's models: read them"
        self.role = _role(CALYPSO, f"{fleet}-{CALYPSO}", described, _trust(anchor, [CALYPSO]), ceiling, child)
        self.profile = _profile(CALYPSO, f"{fleet}-{CALYPSO}", self.role, access, child)
        self.register_outputs({"role": self.role.arn, "profile": self.profile.arn})


def boundary(fleet: str, document: Output[str], opts: ResourceOptions) -> aws.iam.Policy:
    """The policy that no role of the fleet reaches beyond."""
    return aws.iam.Policy(
        "boundary",
        name=f"{fleet}-boundary",
        description="The most that a role of the fleet may do, whatever else its policies say",
        policy=document,
        opts=opts,
    )


def _trust(anchor: aws.rolesanywhere.TrustAnchor, names: Iterable[str]) -> Output[str]:
    wanted = sorted(names)
    return anchor.arn.apply(lambda arn: policies.canonical(policies.roles_anywhere_trust(arn, wanted)))


def _role(  # noqa: PLR0913, PLR0917  (what a role is)
    name: str, full_name: str, description: str, trust: Output[str], ceiling: Output[str], opts: ResourceOptions
) -> aws.iam.Role:
    return aws.iam.Role(
        name,
        name=full_name,
        description=description,
        assume_role_policy=trust,
        permissions_boundary=ceiling,
        max_session_duration=SESSION_S,
        opts=opts,
    )


def _profile(
    name: str, full_name: str, role: aws.iam.Role, access: Output[str], opts: ResourceOptions
) -> aws.rolesanywhere.Profile:
    """The profile that hands out sessions of the role, once the role has its policy."""
    policy = aws.iam.Policy(name, name=full_name, policy=access, opts=opts)
    attached = aws.iam.RolePolicyAttachment(name, role=role.name, policy_arn=policy.arn, opts=opts)
    return aws.rolesanywhere.Profile(
        name,
        name=full_name,
        enabled=True,
        role_arns=[role.arn],
        duration_seconds=SESSION_S,
        opts=ResourceOptions.merge(opts, ResourceOptions(depends_on=[attached])),
    )

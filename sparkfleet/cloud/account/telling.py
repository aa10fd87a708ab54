"""People's mail addresses → an SNS topic of the account that tells them, which only the fleet's own watchers reach.

State: the type token and logical names below.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from sparkfleet.cloud import policies
from sparkfleet.cloud.account import permissions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkfleet.cloud.account.permissions import Owner

FOR_PEOPLE = {"receiver": ["page", "ticket"]}
"""What people are told of an Alertmanager's messages: neither the dead man's beats nor what is meant for machines."""


class Topic(pulumi.ComponentResource):
    """A topic, encrypted with a key of the fleet's own; each address confirms its subscription by a mail it gets."""

    topic: aws.sns.Topic

    def __init__(  # noqa: PLR0913, PLR0917  (what a topic is)
        self,
        name: str,
        fleet: str,
        owner: Output[Owner],
        key: aws.kms.Key,
        mails: Iterable[str],
        opts: ResourceOptions,
        *,
        from_alertmanager: bool = False,
    ) -> None:
        """Register topic `<fleet>-<name>`, its policy and one subscription an address."""
        super().__init__("sparkfleet:cloud:Topic", f"{fleet}-{name}", None, opts)
        child = ResourceOptions(parent=self)
        self.topic = aws.sns.Topic(
            name,
            name=f"{fleet}-{name}",
            kms_master_key_id=key.arn,
            signature_version=2,  # SHA-256 in what subscribers check
            opts=child,
        )
        document = Output.all(owner, self.topic.arn).apply(
            lambda known: policies.canonical(permissions.topic(known[0], known[1], fleet))
        )
        aws.sns.TopicPolicy(name, arn=self.topic.arn, policy=document, opts=child)
        for mail in mails:
            aws.sns.TopicSubscription(
                f"{name}-{mail}",
                topic=self.topic.arn,
                protocol="email",
                endpoint=mail,
                filter_policy=json.dumps(FOR_PEOPLE) if from_alertmanager else None,
                opts=child,
            )
        self.register_outputs({"topic": self.topic.arn})

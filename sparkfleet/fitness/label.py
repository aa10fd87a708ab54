"""The description of the label loop, typed: where its services are, and where a host keeps what belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from sparkfleet.fitness.calypso import Endpoint
from sparkfleet.fitness.datasets import Bucket, Prefix, Profile
from sparkfleet.fitness.keeping import Keep
from sparkfleet.fitness.recurring import Recurring
from sparkfleet.fitness.sharing import Sharing
from sparkfleet.forms import Described, HostPath, SecretReference, Url, matching

WebAddress = Annotated[str, matching(r"https?://[^\s\"'\\]+", 'an address such as "https://labels.example"')]


class LabelStudio(Described):
    """The server that people review with."""

    url: WebAddress
    token: SecretReference = Field(description="an API token of the account that publishes and collects")


class Models(Described):
    """Calypso's model repository in the object store, written by the host's own key."""

    bucket: Bucket = Field(default="", description="empty: the fleet's own bucket for models")
    prefix: Prefix = Field(default="calypso", description="the folder that Calypso's --model-repository names")
    aws_profile: Profile = Field(
        default="", description="of .aws/config in the loop's home on the host, instead of the host's own key"
    )


class Served(Described):
    """Calypso as the loop uses it; that it is aligned with the hosts is the section calypso's."""

    url: Endpoint = Field(default="", description="its gRPC endpoint; empty: calypso.url")
    metrics_url: Url = Field(default="", description="its metrics, which the monitor scrapes; empty: nobody does")
    admin_key: SecretReference | None = Field(
        default=None, description="KEY=VALUE of its --grpc-restricted-protocol=model-repository; null: not restricted"
    )


class Label(Described):
    """The label loop, on hosts with the role label."""

    workspace: HostPath = Field(
        default=Path("/var/lib/sparkfleet/label"), validate_default=True, description="a folder a project"
    )
    artifacts: HostPath = Field(
        default=Path("/var/lib/sparkfleet/models"),
        validate_default=True,
        description="the models that Docling and the training start from; a data set's current version will do",
    )
    label_studio: LabelStudio | None = Field(default=None, description="null: nothing is published")
    models: Models = Models()
    calypso: Served = Served()
    keep: Keep | None = Field(default=Keep(), description="null: projects' records are on their host alone")
    recurring: Recurring = Recurring()
    ray: Sharing | None = Field(default=None, description="hosts that share work; null: each does its own")
    port: int = Field(default=9811, ge=1024, le=65535, description="of the exporter of what the loop is worth")

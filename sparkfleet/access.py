"""The part of the description that is about getting in, typed: people, the tailnet, what is open, when keys are due.

Pure data, as in `model`. What concerns two fields at once is checked by `cross_checks`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sparkfleet.forms import DNS_NAME, Described, PublicKey, SecretReference, Url, UserName, matching

TAILSCALE_REPOSITORY = "https://pkgs.tailscale.com/stable/ubuntu"
# Public: "Tailscale Inc. (Package repository signing key)".
TAILSCALE_KEY_FINGERPRINT = "2596A99EAAB33821893C0A79458CA832957F5868"

Fingerprint = Annotated[str, matching(r"[0-9A-F]{40}", "40 hex digits in capitals, without spaces")]
Interface = Annotated[
    str,
    matching(
        r"[a-zA-Z][a-zA-Z0-9_.-]{0,13}([a-zA-Z0-9]|\*)", 'a network interface such as "enp1s0f0np0", or "enp1s0f*"'
    ),
]
Opening = Annotated[
    str, matching(re.compile(r"all|(tcp|udp)/[1-9][0-9]{0,4}"), '"tcp/8000", "udp/4791", or "all" for everything')
]
Tag = Annotated[str, matching(r"tag:[a-z][a-z0-9-]{0,40}", 'a tag of the tailnet such as "tag:spark"')]
Subject = Annotated[
    str,
    matching(
        r"[^@\s\"*:]+@[^@\s\"*:]+|group:[^@\s\"*:]+@[^@\s\"*:]+|tag:[a-z][a-z0-9-]{0,40}"
        r"|autogroup:(owner|admin|network-admin|it-admin|member)",
        'a login such as "alice@example.com", "tag:NAME", "autogroup:admin" or another of these, or a group of the '
        'identity provider such as "group:NAME@example.com"',
    ),
]
Node = Annotated[str, matching(DNS_NAME, "a DNS name")]


class User(Described):
    """A person who logs in: the authorized keys are an exact set."""

    authorized_keys: list[PublicKey] = Field(default_factory=list)
    sudo: bool = Field(default=False, description="member of the group sudo")
    break_glass: bool = Field(
        default=False, description="for the day on which nothing else opens; its keys never change together with others"
    )


class Console(Described):
    """The way in when the network is none: a local account with a password that sshd never takes."""

    user: UserName = "console"
    password_hash: SecretReference = Field(description="of what `mkpasswd -m yescrypt` or `openssl passwd -6` prints")


class Rotation(Described):
    """After how many days a key or credential is due; only told, never done by itself."""

    ssh_days: int = Field(default=90, ge=1, le=3650, description="the automation user's key")
    host_keys_days: int = Field(default=365, ge=1, le=3650)
    s3_days: int = Field(default=90, ge=1, le=3650, description="a host's object-store key")
    tailnet_days: int = Field(default=180, ge=1, le=3650, description="a host's node key")


class Access(Described):
    """Who may log in, from where, and how sshd is set."""

    users: dict[UserName, User] = Field(default_factory=dict)
    max_auth_tries: int = Field(default=4, ge=2, le=10)
    tcp_forwarding: Literal["no", "local", "yes"] = Field(
        default="local", description="local: the DGX Dashboard and JupyterLab are reached through ssh -L"
    )
    tailnet_only: bool = Field(
        default=False, description="SSH over the tailnet alone, everything else closed but what is opened by name"
    )
    proof_window_s: int = Field(
        default=120,
        ge=15,
        le=900,
        description="the host undoes a change of the way in that is not proven by then",
    )
    open: dict[Interface, list[Opening]] = Field(
        default_factory=dict, description="with tailnet_only: what else is open, by network interface"
    )
    container_interfaces: list[Interface] = Field(
        default=["docker0", "br-*", "podman*"], description="bridges of containers, whose traffic goes out as ever"
    )
    console: Console | None = Field(default=None, description="break-glass account for the console; null: none of ours")
    rotation: Rotation = Rotation()


class TailnetPolicy(Described):
    """Who reaches what in the tailnet, named as the tailnet knows them: `spark tailnet policy` renders it."""

    operators: list[Subject] = Field(
        default=["autogroup:admin"], min_length=1, description="run spark and pulumi: every host, and what it serves"
    )
    users: list[Subject] = Field(default_factory=list, description="log in on hosts, and use what they serve")
    reviewers: list[Subject] = Field(default_factory=list, description="reach Label Studio alone")
    nodes: dict[Node, str] = Field(
        default_factory=dict, description="machines beside the fleet: name in this description → address in the tailnet"
    )


class Tailnet(Described):
    """The tailnet that hosts with the role tailnet join."""

    login_server: Url = Field(default="", description="the control server; empty: Tailscale's own")
    auth_key: SecretReference | None = Field(
        default=None, description="an auth key, or an OAuth client's secret: hosts join with it, tagged"
    )
    tags: list[Tag] = Field(default=["tag:spark"], min_length=1)
    policy: TailnetPolicy = TailnetPolicy()
    port: int = Field(default=41641, ge=1024, le=65535, description="UDP, for direct connections")
    repository: Url = Field(
        default=TAILSCALE_REPOSITORY, description="of the package, or a mirror; empty: the host's own sources have it"
    )
    key: Path | None = Field(default=None, description="file with the repository's key; null: fetched from it")
    key_fingerprint: Fingerprint = Field(default=TAILSCALE_KEY_FINGERPRINT, description="what a fetched key must have")

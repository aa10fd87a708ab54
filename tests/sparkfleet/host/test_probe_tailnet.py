"""What the probe says of a host's tailnet, by a `tailscale` that is none; and of a container's kernel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sparkfleet.host.probed import Probed

if TYPE_CHECKING:
    from pathlib import Path

STATUS = {
    "BackendState": "Running",
    "TailscaleIPs": ["100.64.0.1", "fd7a:115c:a1e0::1"],
    "Self": {"Tags": ["tag:spark", "tag:gpu"]},
}
PREFS = {
    "ControlURL": "https://control.example",
    "Hostname": "spark-01",
    "AdvertiseTags": ["tag:asked-for"],
    "CorpDNS": False,
    "RunSSH": True,
    "Config": {"PrivateNodeKey": "privkey:do-not-show"},
}
WANTED = [f"tailnet:{name}" for name in ("accept_dns", "hostname", "login_server", "ssh", "state", "tags")]


@pytest.fixture
def host(tmp_path: Path) -> Probed:
    """A fresh host."""
    return Probed(tmp_path)


def tailscale(host: Probed, status: Any, prefs: Any) -> None:
    """Let `tailscale` answer so."""
    texts = [text if isinstance(text, str) else json.dumps(text) for text in (status, prefs)]
    places = [host.path(name, text) for name, text in zip(("status", "prefs"), texts, strict=True)]
    host.program("tailscale", f'case "$*" in status*) cat {places[0]};; "debug prefs") cat {places[1]};; esac')


def test_a_node_is_told_in_the_words_of_the_description(host: Probed) -> None:
    """Each setting apart, so that a preview names the one that differs; and where the host is, as facts."""
    tailscale(host, STATUS, PREFS)

    said = host.answer(*WANTED)

    assert said["settings"] == {
        "tailnet:accept_dns": "no",
        "tailnet:hostname": "spark-01",
        "tailnet:login_server": "https://control.example",
        "tailnet:ssh": "yes",
        "tailnet:state": "Running",
        "tailnet:tags": "tag:gpu tag:spark",
    }
    assert said["facts"]["tailnet_addresses"] == "100.64.0.1,fd7a:115c:a1e0::1"
    assert said["facts"]["tailnet_state"] == "Running"
    assert "do-not-show" not in json.dumps(said)


def test_only_what_is_wanted_of_a_node_is_a_setting(host: Probed) -> None:
    """A host without the role has facts and no settings of a tailnet."""
    tailscale(host, STATUS, PREFS)

    assert host.settings("tailnet:state") == {"tailnet:state": "Running"}
    assert host.settings() == {}


@pytest.mark.parametrize("said", ["", "failed to connect to local tailscaled", "[]", "null"])
def test_a_tailscale_that_does_not_answer_is_no_node(said: str, host: Probed) -> None:
    """Neither silence nor words for people are a state."""
    tailscale(host, said, said)

    answer = host.answer(*WANTED)

    assert answer["settings"] == {}
    assert not [name for name in answer["facts"] if name.startswith("tailnet")]


def test_a_node_that_is_logged_out_says_so(host: Probed) -> None:
    """Without addresses, with the state that a join ends."""
    tailscale(host, {"BackendState": "NeedsLogin", "TailscaleIPs": None, "Self": {"Tags": None}}, PREFS)

    said = host.answer(*WANTED)

    assert (said["settings"]["tailnet:state"], said["settings"]["tailnet:tags"]) == ("NeedsLogin", "")
    assert "tailnet_addresses" not in said["facts"]


def test_of_a_containers_kernel_the_file_counts(host: Probed) -> None:
    """But for the network it is the machine's under it, which no container sets; a host is asked itself (simulated)."""
    host.path("sysctl.conf", "# Written by sparkfleet.\nkernel.kptr_restrict = 7\nnet.ipv4.ip_forward = 7\n")
    wanted = ["sysctl:kernel.kptr_restrict", "sysctl:net.ipv4.ip_forward", "sysctl:kernel.dmesg_restrict"]

    on_host = host.settings(*wanted)
    host.path("container", "systemd-nspawn\n")
    in_container = host.settings(*wanted)

    assert on_host["sysctl:kernel.kptr_restrict"] != "7"
    assert in_container["sysctl:kernel.kptr_restrict"] == "7"
    assert in_container["sysctl:net.ipv4.ip_forward"] == on_host["sysctl:net.ipv4.ip_forward"] != "7"
    assert "sysctl:kernel.dmesg_restrict" not in in_container

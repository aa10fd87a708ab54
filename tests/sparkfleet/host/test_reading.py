"""What the tools of a host print → plain values, as the compliance pack reads them (tests/hosts/reading.py)."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import verify as verifying

if TYPE_CHECKING:
    from types import ModuleType

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIV23Q2hhN+kpuz4qxdlTunr5he+SFuQpNmArKwO/Y61"


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The pack's pure functions; the pack is no package, so they are loaded from their file."""
    spec = importlib.util.spec_from_file_location("pack_reading", verifying.PACK / "reading.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def test_the_firewalls_rules_are_read_word_by_word(reading: ModuleType) -> None:
    """The JSON that nft prints of our table becomes one verdict an address; rules about other ports are left out."""
    read = reading.firewall_verdicts
    port = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 9810}}
    two = {"set": ["10.0.0.1", "10.0.0.2"]}
    sources = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": two}}
    assert read([port, sources, {"accept": None}], 9810) == ["accept 10.0.0.1", "accept 10.0.0.2"]
    assert read([port, {"drop": None}], 9810) == ["drop all"]
    assert read([port, {"drop": None}], 22) == []


def test_sudo_without_password_is_seen_wherever_it_stands(reading: ModuleType) -> None:
    """A rule's tag, a default for one user and a default for everybody each count."""
    found = reading.without_password
    free = {"Options": [{"authenticate": False}]}
    rules = [{"User_List": [{"usergroup": "adm"}], "Cmnd_Specs": [free]}]
    defaults = [{**free, "Binding": [{"username": "eve"}]}, free, {"Options": [{"env_reset": True}]}]
    assert list(found({"User_Specs": rules, "Defaults": defaults})) == ["%adm", "eve", "everybody"]


def test_the_guards_own_command_may_be_free(reading: ModuleType) -> None:
    """Only as the one command of its rule: with another one beside it, its people are asked for no password."""
    free = {"Options": [{"authenticate": False}]}
    alone = {"User_List": [{"username": "alice"}], "Cmnd_Specs": [{**free, "Commands": [{"command": "guard"}]}]}
    more = {**free, "Commands": [{"command": "guard"}, {"command": "sh"}]}
    beside = {"User_List": [{"username": "eve"}], "Cmnd_Specs": [more]}
    policy = {"User_Specs": [alone, beside]}
    assert list(reading.without_password(policy, "guard")) == ["eve"]
    assert list(reading.without_password(policy)) == ["alice", "eve"]
    assert reading.granted(policy, "guard") == {"alice"}


@pytest.mark.parametrize(
    ("address", "inside"),
    [("127.0.0.1", True), ("[::1]", True), ("127.0.0.53%lo", True), ("*", False), ("[::]", False), ("10.0.0.1", False)],
)
def test_loopback_is_told_from_the_rest(address: str, inside: bool, reading: ModuleType) -> None:
    """An address as ss prints it is loopback or reachable."""
    assert reading.Listener("tcp", address, 80, "x").on_loopback is inside


def test_keys_are_compared_without_comments_but_with_options(reading: ModuleType) -> None:
    """The comment of a key is anybody's word; an option such as command= changes what it opens."""
    bare = reading.bare_key
    assert bare(f"{KEY} alice@laptop") == bare(KEY) == KEY
    assert bare(f'command="ls" {KEY} alice') == f'command="ls" {KEY}'


@pytest.mark.parametrize(
    ("shown", "size"), [("0B", 0), ("512MiB", 512 << 20), ("1GiB1MiB", (1 << 30) + (1 << 20)), ("1.5GB", 3 << 29)]
)
def test_a_size_is_read_as_prometheus_shows_it(shown: str, size: int, reading: ModuleType) -> None:
    """Its flags page joins units; 0B means no limit."""
    assert reading.size_bytes(shown) == size


@pytest.mark.parametrize(
    ("mounts", "writable"),
    [
        ("1 2 8:1 / / ro,relatime - ext4 /dev/a rw\n3 1 0:5 / /dev rw - tmpfs t rw\n", False),
        ("1 2 8:1 / / rw,relatime - ext4 /dev/a rw\n3 1 0:5 / /dev ro - tmpfs t rw\n", True),
    ],
)
def test_a_root_is_writable_as_the_process_has_it_mounted(mounts: str, writable: bool, reading: ModuleType) -> None:
    """The options of the mount count, not those of the file system."""
    assert bool(reading.writable_root(mounts)) is writable


def test_sockets_are_read_with_their_process(reading: ModuleType) -> None:
    """TCP and UDP, IPv6 in brackets, an interface after %, and a kernel's socket that no process has."""
    text = (
        'tcp   LISTEN 0 128 [::]:22 [::]:* users:(("sshd",pid=1,fd=4))\n'
        'udp   UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=2,fd=13))\n'
        "udp   UNCONN 0 0 *:41641 *:*\n"
        'tcp   LISTEN 0 128 [fd7a:115c:a1e0::1]:55 [::]:* users:(("tailscaled",pid=3,fd=4))\n'
    )
    found = reading.listeners(text)
    assert [(one.protocol, one.port, one.process) for one in found] == [
        ("tcp", 22, "sshd"), ("udp", 53, "systemd-resolve"), ("udp", 41641, "unknown process"),
        ("tcp", 55, "tailscaled"),
    ]  # fmt: skip
    assert [one.on_loopback for one in found] == [False, True, False, False]
    assert [one.in_tailnet for one in found] == [False, False, False, True]


def test_sshds_first_packet_says_what_it_offers(reading: ModuleType) -> None:
    """The lists of names after the cookie, without the words that are no algorithms; of a cut one, what is there."""
    lists = [
        "curve25519-sha256,ext-info-s,kex-strict-s-v00@openssh.com",
        "ssh-ed25519",
        "aes256-ctr",
        "aes256-ctr",
        "m1,m2",
    ]
    packet = b"\x05\x14" + bytes(16) + b"".join(len(one).to_bytes(4, "big") + one.encode() for one in lists)
    found = reading.kexinit(packet)
    assert (found.key_exchanges, found.host_keys) == (["curve25519-sha256"], ["ssh-ed25519"])
    assert (found.ciphers, found.macs) == (["aes256-ctr"], ["m1", "m2"])
    assert reading.kexinit(packet[:40]).macs == []
    with pytest.raises(AssertionError, match="not its list"):
        reading.kexinit(b"\x05\x01bye")


def test_published_ports_are_those_that_are_translated(reading: ModuleType) -> None:
    """A rule that translates the destination, in a table that does so, for one port; a filter's rule is none."""
    nat = {"chain": {"family": "ip", "table": "nat", "name": "PREROUTING", "type": "nat"}}
    port = {"match": {"left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 8080}}
    rule = {"family": "ip", "table": "nat", "expr": [port, {"dnat": {"addr": "172.17.0.2", "port": 80}}]}
    other = {"family": "ip", "table": "filter", "expr": [port, {"xt": None}]}
    assert reading.published([nat, {"rule": rule}, {"rule": other}]) == {8080}
    assert reading.published([{"rule": rule}]) == set()


def test_due_dates_and_openings_are_read(reading: ModuleType) -> None:
    """Kinds with their date; ports that the description opens, but not "all"."""
    text = 'sparkfleet_rotation_due_timestamp_seconds{kind="host-keys"} 1763000000\n# HELP x\n'
    assert reading.due(text) == {"host-keys": 1763000000.0}
    openings = {"enp1s0f*": ["all", "udp/4791"], "eth0": ["tcp/8000"]}
    assert (reading.opened(openings, "tcp"), reading.opened(openings, "udp")) == ({8000}, {4791})


def test_sudos_defaults_are_read_with_whom_they_are_for(reading: ModuleType) -> None:
    """The last of a name counts; one for a group has its name before it."""
    policy = {"Defaults": [
        {"Options": [{"timestamp_timeout": "15"}, {"use_pty": True}]},
        {"Binding": [{"usergroup": "sudo"}], "Options": [{"log_subcmds": True}]},
        {"Options": [{"timestamp_timeout": "-1"}]},
    ]}  # fmt: skip
    assert reading.defaults(policy) == {"timestamp_timeout": "-1", "use_pty": True, "%sudo:log_subcmds": True}

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

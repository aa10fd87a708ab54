"""The real probe, run as a process by the system's Python as on a host → what it says of files made for it here."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from sparkfleet.host.observe import PROBE
from tests.sparkfleet.host.probed import Probed

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def host(tmp_path: Path) -> Probed:
    """A fresh host."""
    return Probed(tmp_path)


def digest(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def owner(path: str) -> str:
    """Owner and group of a file, as names."""
    at = Path(path)
    return f"{at.owner()}:{at.group()}"


def test_a_file_is_told_by_digest_mode_and_owner(host: Probed) -> None:
    """The same words that `desired` uses for it."""
    path = host.path("etc/x", "text\n", 0o640)

    assert host.settings(f"file:{path}") == {f"file:{path}": f"{digest('text' + chr(10))[:16]} 0640 {owner(path)}"}


def test_what_is_not_there_is_left_out(host: Probed) -> None:
    """Absent is absent: no empty value, no zero, no error."""
    keys = ["file:/no/x", "link:/no/y", "listing:/no", "sysctl:no.such", "user:nobody-here", "secret:/no/z"]

    assert host.settings(*keys, "package:no-such-package", "unit:no-such.service", "role:base") == {}


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_something_else_in_a_files_place_is_told_and_not_read(host: Probed, kind: str) -> None:
    """A folder, a link to the right content or a pipe is no plain file; a pipe must not block the probe."""
    place = host.folder / "x"
    make = {"folder": place.mkdir, "link": lambda: place.symlink_to(PROBE), "pipe": lambda: os.mkfifo(place)}

    make[kind]()

    assert host.settings(f"file:{place}") == {f"file:{place}": "not a plain file"}


def test_a_link_is_told_by_its_absolute_target(host: Probed) -> None:
    """Debian writes links relative; the described target is absolute: both are the same link."""
    (host.folder / "etc").mkdir()
    (host.folder / "etc/localtime").symlink_to("../zone/UTC")
    key = f"link:{host.folder}/etc/localtime"

    assert host.settings(key) == {key: f"{host.folder}/zone/UTC"}


def test_a_plain_file_is_no_link(host: Probed) -> None:
    """What should be a link and is a file counts as absent."""
    assert host.settings(f"link:{host.path('localtime')}") == {}


def test_a_listing_names_everything_in_a_folder(host: Probed) -> None:
    """Hidden files and folders too: nothing may hide from an exact folder."""
    for name in ("z.conf", ".hidden", "a.conf", "sub/x"):
        host.path(f"exact/{name}")
    key = f"listing:{host.folder}/exact"

    assert host.settings(key) == {key: ".hidden a.conf sub z.conf"}


def test_a_kernel_setting_is_what_the_kernel_has(host: Probed) -> None:
    """It is read from /proc/sys, with single spaces between words, whatever files say."""
    live = " ".join(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())

    assert host.settings("sysctl:net.ipv4.ip_local_port_range") == {"sysctl:net.ipv4.ip_local_port_range": live}


def test_installed_packages_are_told_and_no_others(host: Probed) -> None:
    """Only what dpkg calls installed counts: removed with configuration left, or half-installed, does not."""
    host.program("dpkg-query", "printf 'bash installed\\njq config-files\\nnginx half-configured\\n'; exit 1")

    assert host.settings("package:bash", "package:jq", "package:nginx", "package:gone") == {"package:bash": "installed"}


def test_a_real_package_of_this_machine_is_found(host: Probed) -> None:
    """dpkg-query's own words are understood."""
    assert host.settings("package:dpkg", "package:no-such-package") == {"package:dpkg": "installed"}


UNITS = """\
printf 'Id=a.service\\nUnitFileState=enabled\\nActiveState=active\\nNeedDaemonReload=no\\n\\n'
printf 'Id=b.service\\nUnitFileState=disabled\\nActiveState=inactive\\nNeedDaemonReload=no\\n\\n'
printf 'Id=c.service\\nUnitFileState=enabled\\nActiveState=failed\\nNeedDaemonReload=yes\\n\\n'
printf 'Id=d.service\\nUnitFileState=\\nActiveState=inactive\\nNeedDaemonReload=no\\n'
"""


def test_a_unit_is_told_in_as_many_words_as_are_wanted(host: Probed) -> None:
    """Enabled alone when that is described, with its activity when that is too, stale when systemd has not read it."""
    host.program("systemctl", UNITS)
    wanted = dict.fromkeys(["unit:a.service", "unit:b.service", "unit:c.service", "unit:d.service"], "enabled,active")

    both = host.settings(**wanted)
    alone = host.settings(**dict.fromkeys(wanted, "enabled"))

    assert both == {
        "unit:a.service": "enabled,active",
        "unit:b.service": "disabled,inactive",
        "unit:c.service": "enabled,failed,stale",
    }
    assert alone == {"unit:a.service": "enabled", "unit:b.service": "disabled", "unit:c.service": "enabled,stale"}


def test_a_host_without_systemd_has_no_units(host: Probed) -> None:
    """A missing program makes its settings absent; the other settings are told all the same."""
    host.programs = str(host.path("bin/empty").removesuffix("/empty"))
    path = host.path("etc/x", "text\n")

    assert set(host.settings("unit:a.service", "package:bash", f"file:{path}")) == {f"file:{path}"}


def test_a_person_is_told_with_and_without_sudo(host: Probed) -> None:
    """Membership of the group sudo is what counts."""
    members = {line.split(":")[0]: line.strip().split(":")[3] for line in Path("/etc/group").read_text().splitlines()}
    expected = "sudo" if ME in members.get("sudo", "").split(",") else "no sudo"

    assert host.settings(f"user:{ME}") == {f"user:{ME}": expected}


def test_a_role_is_what_the_marker_says(host: Probed) -> None:
    """Its digest once it reached its end, "pending" from its first change until then."""
    host.marker = {"roles": {"base": "0123456789abcdef", "access": "pending", "monitor": "beef"}}

    assert host.settings("role:base", "role:access", "role:exporter") == {
        "role:base": "0123456789abcdef",
        "role:access": "pending",
    }


def test_what_was_shipped_once_is_told_though_nobody_asks(host: Probed) -> None:
    """The marker remembers it: so a plan can see what is no longer described; what is gone already is left out."""
    old = host.path("etc/old", "old\n")
    host.marker = {"managed": {f"file:{old}": "whatever", "file:/no/such": "whatever"}}

    assert host.settings() == {f"file:{old}": f"{digest('old' + chr(10))[:16]} 0644 {owner(old)}"}


def secret(host: Probed, text: str = "s3cret") -> str:
    """A shipped secret and its record."""
    path = host.path("secret", text, 0o600)
    state = f"{digest(text)} 0600 {owner(path)}"
    host.marker = {"secrets": {path: {"setting": "file:/k generation 1", "state": state}}}
    return path


def test_an_untouched_secret_is_told_by_its_reference(host: Probed) -> None:
    """As long as the file is the one that was shipped, the recorded reference and generation stand for it."""
    path = secret(host)

    assert host.settings(f"secret:{path}") == {f"secret:{path}": "file:/k generation 1"}


@pytest.mark.parametrize("touch", [lambda f: f.write_text("other"), lambda f: f.chmod(0o644)], ids=["text", "mode"])
def test_a_touched_secret_is_told_so(host: Probed, touch: Any) -> None:
    """Another text or another mode than the shipped one shows."""
    path = secret(host)

    touch(Path(path))

    assert host.settings(f"secret:{path}") == {f"secret:{path}": "touched"}


def test_a_secret_that_nobody_shipped_is_unknown(host: Probed) -> None:
    """A file in a secret's place without a record is not taken for the wanted one."""
    path = host.path("secret", "x", 0o600)

    assert host.settings(f"secret:{path}") == {f"secret:{path}": "unknown"}


def test_neither_a_secret_nor_its_digest_leaves_the_host(host: Probed) -> None:
    """The answer goes over the network and into a preview."""
    path = secret(host)

    said = json.dumps(host.answer(f"secret:{path}"))

    assert "s3cret" not in said
    assert digest("s3cret")[:16] not in said


def test_facts_come_from_the_sysfs_that_was_named(host: Probed) -> None:
    """A stand-in replays the board's identity and driver elsewhere (simulated); there it is read."""
    sysfs = host.folder / "sys"
    host.path("sys/class/dmi/id/board_vendor", "NVIDIA\n")
    host.path("sys/class/dmi/id/product_name", "DGX Spark\n")
    host.path("sys/module/nvidia/version", "580.95.05\n")

    facts = host.answer(sysfs=str(sysfs))["facts"]

    assert (facts["board"], facts["driver"]) == ("NVIDIA DGX Spark", "580.95.05")


def test_facts_that_the_machine_does_not_say_are_left_out(host: Probed) -> None:
    """No driver, no board: no empty words for them."""
    facts = host.answer(sysfs="/nowhere")["facts"]

    assert not {"board", "driver"} & set(facts)
    assert all(facts.values())
    assert facts["kernel"] == os.uname().release


def test_keys_of_every_script_reach_the_probe_unharmed(host: Probed) -> None:
    """Quotes, backslashes, braces and other scripts in a path change nothing of the script that carries them."""
    path = host.path("""it's "a" \\n {name} ключ""", "text\n")

    assert list(host.settings(f"file:{path}")) == [f"file:{path}"]

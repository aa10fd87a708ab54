"""This machine's apt → a stand-in's sources and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.errors import LabError
from lab.spark import apt

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = """\
Debian|http://mirror.example/debian/|bookworm|bookworm|main
Debian|http://mirror.example/debian/|bookworm|bookworm|contrib
Debian|http://mirror.example/security/|bookworm-security|bookworm-security|main
Somebody|http://vendor.example/apt/|bookworm|bookworm|main
"""


def test_only_debians_own_archives_are_taken_with_their_components_together() -> None:
    """A vendor's archive with the same suite and component is left out; components of one archive share a line."""
    assert [source.line for source in apt.parse(TARGETS)] == [
        "deb http://mirror.example/debian/ bookworm main contrib",
        "deb http://mirror.example/security/ bookworm-security main",
    ]


def test_debootstrap_starts_from_the_release_itself() -> None:
    """Not from its security or updates suite, which hold only parts."""
    assert apt.release("bookworm", apt.parse(TARGETS)).uri == "http://mirror.example/debian/"


def test_a_machine_without_the_release_is_told_what_to_add() -> None:
    """The message names the release."""
    with pytest.raises(LabError, match="Debian trixie"):
        apt.release("trixie", apt.parse(TARGETS))


def test_settings_carry_how_to_reach_the_mirror_and_nothing_else() -> None:
    """Proxies and checks go along; hooks, caches and programs of this machine stay."""
    dump = (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::http::ProxyAutoDetect "/usr/bin/find-proxy";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Acquire::cdrom::mount "/media/cdrom/";\n'
        'DPkg::Post-Invoke "rm -f /var/cache/apt/archives/*.deb";\n'
    )
    assert apt.settings(dump, {}) == (
        'Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::Check-Valid-Until "false";\n'
    )


def test_a_proxy_of_the_shell_counts_where_apt_names_none() -> None:
    """Apt in the stand-in does not see this shell's variables."""
    settings = apt.settings("", {"http_proxy": "http://proxy.example:3128"})
    assert settings == 'Acquire::http::Proxy "http://proxy.example:3128";\n'
    assert apt.proxy(settings) == {"http_proxy": "http://proxy.example:3128"}


@pytest.mark.parametrize("form", ["one-line", "deb822"])
def test_both_formats_of_sources_are_read_alike(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real apt is asked, so the same archive written in either format gives the same source."""
    here = apt.sources()[0]
    parts = tmp_path / "parts"
    parts.mkdir()
    if form == "one-line":
        (parts / "x.list").write_text(here.line + "\n")
    else:
        words = {"Types": "deb", "URIs": here.uri, "Suites": here.release, "Components": " ".join(here.components)}
        (parts / "x.sources").write_text("".join(f"{name}: {value}\n" for name, value in words.items()))
    config = tmp_path / "apt.conf"
    config.write_text(f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{parts}";\n')
    monkeypatch.setenv("APT_CONFIG", str(config))
    assert apt.sources() == [here]

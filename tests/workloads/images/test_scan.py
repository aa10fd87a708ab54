"""What is in an image, and what must not be."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.images.saved import File, saved
from workloads.images import layers
from workloads.images.layers import Entry, Layer
from workloads.images.scan import Package, Scan, look, scan

KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + b"b3BlbnNzaC1rZXk" * 10 + b"\n-----END OPENSSH PRIVATE KEY-----\n"
STATUS = b"""Package: libc6
Status: install ok installed
Architecture: all
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Version: 1
"""
METADATA = b"Metadata-Version: 2.1\nName: Typing_Extensions\nVersion: 4.15.0\n\nVersion: of the description\n"


def scanned(*each: dict[str, File], **config: object) -> Scan:
    """What is told of an image of these layers."""
    return scan(layers.read(saved(*each, **config), look))


def test_a_clean_image_has_no_findings_and_its_packages_are_named() -> None:
    """Packages of both managers, by the names that bills use; what was removed is none."""
    told = scanned(
        {"var/lib/dpkg/status": (STATUS, 0o644), "usr/lib/os-release": (b'NAME="x"\nID=debian\n', 0o644)},
        {"opt/x/lib/typing_extensions-4.dist-info/METADATA": (METADATA, 0o644)},
    )

    assert told.findings == []
    assert told.packages == [Package("deb", "libc6", "2.36-9", "all"), Package("pypi", "typing-extensions", "4.15.0")]
    assert told.distribution == "debian"


def test_a_secret_that_a_later_layer_removed_is_found() -> None:
    """Whoever has the image has its lower layers."""
    assert scanned({"etc/key.pem": (KEY, 0o600)}, {"etc/.wh.key.pem": (b"", 0)}).findings == [
        "etc/key.pem: a private key"
    ]


def test_a_setuid_file_counts_when_a_container_sees_it() -> None:
    """A base brings su; a later layer takes its bit away, and then it is no finding."""
    raised: dict[str, File] = {"usr/bin/su": (b"x", 0o4755), "usr/bin/wall": (b"x", 0o2755)}
    kept: dict[str, File] = {"usr/bin/su": (b"x", 0o755)}

    assert scanned(raised, kept).findings == ["usr/bin/wall: setuid or setgid"]
    assert scanned(raised, {"usr/.wh..wh..opq": (b"", 0)}).findings == []


@pytest.mark.parametrize(
    ("path", "content", "found"),
    [
        ("root/.aws/credentials", b"[default]", ["a file of credentials"]),
        ("app/.env", b"A=1", ["a file of credentials"]),
        ("app/settings.py", b"key = 'AKIAABCDEFGHIJKLMNOP'", ["an AWS access key"]),
        ("app/x", b"hf_" + b"a" * 34, ["a token"]),
        ("etc/pip.conf", b"index-url = https://me:secret99@index.example/simple", ["a password in an address"]),
        ("usr/share/x.py", b"# https://user:password@host.example", []),
        ("usr/lib/python3/site-packages/lib/tests/server.key", KEY, []),
        ("etc/ssl/private/server.key", KEY, ["a private key"]),
        ("usr/lib/code.py", b'if text.startswith("-----BEGIN RSA PRIVATE KEY-----"):', []),
    ],
)
def test_secrets_are_known_by_their_form(path: str, content: bytes, found: list[str]) -> None:
    """What opens something is found; what code and manuals say of such things is not."""
    assert look(path, content) == found


def test_settings_are_read_too() -> None:
    """A password in a variable, and an image that runs as root."""
    assert scanned({}, Env=["PATH=/bin", "DB_PASSWORD=x", "API_KEY="], User="").findings == [
        "user: it runs as root unless somebody says otherwise",
        "variable DB_PASSWORD: a value is in the image",
    ]


@pytest.mark.parametrize("stream", [b"", b"not an image", saved({}).getvalue()[:700]])
def test_what_is_no_image_is_refused(stream: bytes) -> None:
    """Nothing is judged that was not read whole."""
    with pytest.raises(layers.NotAnImageError):
        layers.read(io.BytesIO(stream), look)


NAME = st.sampled_from(["a", "b", "a/x", "a/y", "b/x", "b/x/z"])


@given(st.lists(st.tuples(st.sets(NAME, max_size=3), st.sets(NAME, max_size=2), st.sets(NAME, max_size=4)), max_size=4))
def test_layers_lie_on_one_another_as_an_engine_lays_them(each: list[tuple[set[str], set[str], set[str]]]) -> None:
    """Each layer first takes away what it names, and what lies below that, and then adds its own."""
    expected: dict[str, int] = {}
    made = []
    for number, (gone, emptied, added) in enumerate(each):
        for name in list(expected):
            parents = {name[:end] for end, letter in enumerate(name) if letter == "/"}
            if name in gone or parents & (gone | emptied):
                del expected[name]
        expected |= dict.fromkeys(added, number)
        made.append(Layer({name: Entry(0, number) for name in added}, set(gone), set(emptied)))

    assert {name: entry.size for name, entry in layers.seen(made).items()} == expected

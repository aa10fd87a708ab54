"""`--web.config.file`: every fault at once, TLS and passwords over real connections, renewal without a restart."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest

from exporters.web import passwords, web_config
from exporters.web.web_config import Watched, WebConfigError, load
from tests.exporters.web.site import DEADLINE_S, ONCE, Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


def certificate(folder: Path, name: str, issuer: str = "") -> None:
    """A key and a certificate for 127.0.0.1, self-signed or signed by `issuer`, as NAME.key and NAME.pem."""
    by = ["-CA", f"{folder}/{issuer}.pem", "-CAkey", f"{folder}/{issuer}.key"] if issuer else []
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *by,
         "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-days", "2", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip


def get(port: int, user: str = "", password: str = "", context: ssl.SSLContext | None = None) -> int:
    """The status of a scrape."""
    scheme = "https" if context else "http"
    request = urllib.request.Request(f"{scheme}://127.0.0.1:{port}/metrics")  # noqa: S310
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S, context=context) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a certificate."""
    certificate(tmp_path, "host")
    return tmp_path


@pytest.fixture
def secured(folder: Path) -> Iterator[tuple[Path, Site]]:
    """A server whose configuration file may be changed."""
    path = folder / "web.yml"
    path.write_text(f"basic_auth_users:\n  scraper: {HASH}\n")
    watched = Watched(path)
    site = Site(config=watched.config)
    yield path, site
    site.stop()


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Unknown keys, missing files, policies without a CA and passwords in clear, which the message does not repeat."""
    path = tmp_path / "web.yml"
    path.write_text(
        "rate_limit: {}\nbasic_auth_users: {a: letmein, 'b:c': 1}\n"
        "tls_server_config: {cert: x, client_auth_type: Maybe, min_version: TLS10}\n"
    )
    with pytest.raises(WebConfigError) as refused:
        load(path)
    text = str(refused.value)
    for fault in ("unknown key rate_limit", "unknown key tls_server_config.cert", "cert_file is missing",
                  "key_file is missing", "Maybe is none of", "TLS10 is none of", "password of a is not a bcrypt hash",
                  "'b:c' is no user name"):  # fmt: skip
        assert fault in text
    assert "letmein" not in text


@pytest.mark.parametrize(
    "text",
    ["[", "- 1", "tls_server_config: 3", "basic_auth_users: []x", "tls_server_config: {cert_file: a, key_file: b}",
     "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAndVerifyClientCert}"],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused(text: str, tmp_path: Path) -> None:
    """With its path in the message; an exporter does not start without the protection that was asked for."""
    path = tmp_path / "web.yml"
    path.write_text(text)
    with pytest.raises(WebConfigError, match=r"web\.yml"):
        load(path)


def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the Debian package that has it; a file without passwords does not need bcrypt."""
    path = tmp_path / "web.yml"
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    path.write_text("")
    assert load(path).users == {}
    path.write_text(f"basic_auth_users: {{a: {HASH}}}")
    with pytest.raises(WebConfigError, match="apt install python3-bcrypt"):
        load(path)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(WebConfigError, match="apt install python3-yaml"):
        load(path)


def test_passwords(secured: tuple[Path, Site]) -> None:
    """No password, a wrong one and an unknown name get 401 on every page; the right one passes."""
    _, site = secured
    port = site.address[1]
    assert get(port) == get(port, "scraper", "wrong") == get(port, "nobody", "secret") == 401
    assert site.ask(ONCE % b"/-/healthy")[0] == 401
    assert get(port, "scraper", "secret") == 200
    assert site.scrapes == 1


def test_bcrypt_is_asked_once_a_minute(secured: tuple[Path, Site], monkeypatch: pytest.MonkeyPatch) -> None:
    """Right and wrong answers are remembered: repeated scrapes and repeated guesses cost no CPU."""
    asked = []
    slow = passwords.matches

    def counted(*both: Any) -> bool:
        asked.append(1)
        return slow(*both)

    monkeypatch.setattr(passwords, "matches", counted)
    port = secured[1].address[1]
    for _ in range(5):
        assert (get(port, "scraper", "secret"), get(port, "scraper", "wrong")) == (200, 401)
    assert len(asked) == 2


def test_a_changed_file_counts_and_a_broken_one_does_not(
    secured: tuple[Path, Site], caplog: pytest.LogCaptureFixture
) -> None:
    """A new user passes at the next request; a file with a fault leaves the old users and is logged."""
    path, site = secured
    port = site.address[1]
    path.write_text(f"basic_auth_users:\n  other: {HASH}\n")
    assert (get(port, "other", "secret"), get(port, "scraper", "secret")) == (200, 401)
    path.write_text("basic_auth_users:\n  other: letmein\n")
    assert (get(port, "other", "secret"), get(port)) == (200, 401)
    assert "the old web configuration stays" in caplog.text
    assert "letmein" not in caplog.text
    path.unlink()
    assert get(port) == 401


def test_tls_and_a_renewed_certificate(folder: Path) -> None:
    """Served under the file's certificate, and under a new one as soon as it lies there; plain HTTP gets nothing."""
    path = folder / "web.yml"
    path.write_text("tls_server_config: {cert_file: host.pem, key_file: host.key, min_version: TLS13}")
    site = Site(config=Watched(path).config)
    port = site.address[1]
    trusting = ssl.create_default_context(cafile=folder / "host.pem")
    assert get(port, context=trusting) == 200
    assert site.ask(ONCE % b"/metrics")[0] == 0
    old = ssl.create_default_context(cafile=folder / "host.pem")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(urllib.error.URLError):
        get(port, context=old)
    time.sleep(0.01)
    certificate(folder, "host")
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        get(port, context=trusting)
    assert get(port, context=ssl.create_default_context(cafile=folder / "host.pem")) == 200
    site.stop()


def test_client_certificates(folder: Path) -> None:
    """Only a client with a certificate of the named authority is let in."""
    certificate(folder, "scraper")
    path = folder / "web.yml"
    path.write_text(
        "tls_server_config: {cert_file: host.pem, key_file: host.key, client_ca_file: scraper.pem, "
        "client_auth_type: RequireAndVerifyClientCert}"
    )
    site = Site(config=Watched(path).config)
    context = ssl.create_default_context(cafile=folder / "host.pem")
    with pytest.raises((OSError, urllib.error.URLError)):
        get(site.address[1], context=context)
    context.load_cert_chain(folder / "scraper.pem", folder / "scraper.key")
    assert get(site.address[1], context=context) == 200
    site.stop()


def test_an_exporter_with_a_broken_file_does_not_start(tmp_path: Path) -> None:
    """Exit code 1 and the reason; nothing is served."""
    path = tmp_path / "web.yml"
    path.write_text("basic_auth_users: {a: b}")
    command = [sys.executable, "-m", "exporters.gb10", f"--web.config.file={path}", "--web.listen-address=127.0.0.1:0"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert "not a bcrypt hash" in done.stderr
    assert "Traceback" not in done.stderr
    assert web_config.VERSIONS["TLS12"] is ssl.TLSVersion.TLSv1_2

"""An image's layers → what must not be in it, and which packages are.

A secret that a later layer took away is still in the image, so each layer counts. A setuid file counts when a container
would see it. Known limits: secrets that no pattern knows, files that are binary, and what lies past a file's first MiB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from workloads.images import layers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.images.layers import Entry, Image

PATTERNS = {
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64}"),
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "a token": re.compile(rb"\b(?:hf_[A-Za-z0-9]{34}|gh[pousr]_[A-Za-z0-9]{36}|nvapi-[A-Za-z0-9_-]{40,}"
                          rb"|glpat-[A-Za-z0-9_-]{20}|xox[abp]-[A-Za-z0-9-]{20,})\b"),
    "a password in an address": re.compile(rb"^[^#\n]*\bhttps?://[^\s:/@\"'<>{}$%]+:[^\s:/@\"'<>{}$%]{6,}@[a-z0-9]",
                                           re.MULTILINE),
}  # fmt: skip
# Whatever is in them: where programs keep what opens something.
NAMES = re.compile(r"(.*/)?(\.env|\.netrc|\.git-credentials|\.pypirc|id_(rsa|ecdsa|ed25519)|\.aws/credentials"
                   r"|\.docker/config\.json|\.pulumi/credentials\.json)")  # fmt: skip
CONFIGURES = re.compile(r"etc/.*|root/.*|home/.*|tmp/.*|(.*/)?(pip\.conf|\.?netrc|uv\.toml)")  # not code or its manuals
SETTING = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|CREDENTIAL)")
# Keys that their packages publish: whoever has the package has them. By path and reason.
PUBLISHED = {
    re.compile(r".*/site-packages/botocore/data/.+/examples-1\.json"): "made up for AWS' manual",
    re.compile(r".*/site-packages/transformers/testing_utils\.py"): "a token of its makers' test server, public",
    re.compile(r".*/(site|dist)-packages/[^/]+/(.+/)?tests?/.+"): "a package's own tests",
    re.compile(r".*\.(md|rst|txt|html|ipynb|js|map)"): "a manual or a page",
}


@dataclass(frozen=True)
class Package:
    """What a package manager says is there: kind is deb or pypi."""

    kind: str
    name: str
    version: str
    architecture: str = ""


@dataclass(frozen=True)
class Scan:
    """What was found. An image without `findings` may be run."""

    findings: list[str]
    packages: list[Package]
    distribution: str
    size_bytes: int
    files: int


def look(path: str, content: bytes) -> list[str]:
    """What of a file must not be in an image; none for what its package publishes. Pure."""
    if NAMES.fullmatch(path) and content.strip():
        return ["a file of credentials"]
    if any(known.fullmatch(path) for known in PUBLISHED):
        return []
    return [
        what for what, pattern in PATTERNS.items()
        if pattern.search(content) and (what != "a password in an address" or CONFIGURES.fullmatch(path))
    ]  # fmt: skip


def scan(image: Image) -> Scan:
    """Judge it. Pure."""
    files = layers.seen(image.layers)
    findings = [f"{path}: {what}" for layer in image.layers for path, what in layer.found]
    findings += [f"{path}: setuid or setgid" for path, entry in files.items() if entry.raises_rights]
    findings += _settings(image)
    found = sorted({*_debs(files), *_wheels(files)}, key=lambda each: (each.kind, each.name, each.version))
    size = sum(entry.size for entry in files.values())
    return Scan(sorted(set(findings)), found, _distribution(files), size, len(files))


def _settings(image: Image) -> Iterator[str]:
    """What `inspect` tells everybody."""
    settings = image.config.get("config") or {}
    for each in settings.get("Env") or ():
        name, _, value = each.partition("=")
        if SETTING.search(name) and value:
            yield f"variable {name}: a value is in the image"
    user = str(settings.get("User") or "").partition(":")[0]
    if user in {"", "0", "root"}:
        yield "user: it runs as root unless somebody says otherwise"
    history = " ".join(str(each.get("created_by", "")) for each in image.config.get("history") or ())
    for what in look("history", history.encode()):
        yield f"history: {what}"


def _debs(files: dict[str, Entry]) -> Iterator[Package]:
    for path, entry in files.items():
        if path.startswith("var/lib/dpkg/status"):
            for paragraph in re.split(r"\n{2,}", entry.text):
                told = HeaderParser().parsestr(paragraph)
                if told["Package"] and "installed" in (told["Status"] or "installed").split():
                    yield Package("deb", told["Package"], told["Version"] or "", told["Architecture"] or "")


def _wheels(files: dict[str, Entry]) -> Iterator[Package]:
    for path, entry in files.items():
        if path.endswith(".dist-info/METADATA") and entry.text:
            told = HeaderParser().parsestr(entry.text)
            if told["Name"]:
                yield Package("pypi", re.sub(r"[-_.]+", "-", told["Name"]).lower(), told["Version"] or "")


def _distribution(files: dict[str, Entry]) -> str:
    """As os-release calls it: debian, ubuntu; empty when it does not say."""
    text = next((files[each].text for each in ("usr/lib/os-release", "etc/os-release") if each in files), "")
    found = re.search(r'^ID="?([a-z0-9._-]+)', text, re.MULTILINE)
    return found[1] if found else ""

"""The example project end to end through containers: built, inspected, bounded, and as good as without them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from examples import make
from examples import truth as truths
from lab import down, imaging, record
from lab.imaging import engine
from lab.instance import CHECKOUT, Instance
from tests.workloads.images.containers import Containers
from tests.workloads.label.labs import LabelLab
from tests.workloads.label.reviewer import Api, Reviewer
from workloads.label.records import Converted, Item, Promotion, PromotionEnd, Review
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

pytestmark = pytest.mark.drill  # a quarter of an hour, most of it the first build
NAME, LABEL = "contained", "tests"
PLANTED = """ARG BASE
FROM ${BASE}
USER root
RUN printf '%s\\n' "-----BEGIN RSA PRIVATE KEY-----" "$(printf %0900d 0 | tr 0 A)" > /etc/planted.key
RUN rm /etc/planted.key && cp /bin/true /usr/local/bin/raised && chmod u+s /usr/local/bin/raised
USER 64000
"""


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    """All images of a lab of their own, which is removed at the end."""
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")
    instance = Instance.named(os.environ.get("SPARKFLEET_TEST_LAB", "label"))
    if os.environ.get("SPARKFLEET_KEPT_LAB") != instance.name:
        down.down(instance.name)
    record.claim(instance)
    record.note_self(instance, LABEL)
    try:
        made = Containers(instance, imaging.build(instance), instance.folder / "contained")
        made.prepare()
        yield made
    finally:
        down.down(instance.name)


def test_the_loop_runs_in_containers(containers: Containers, capsys: pytest.CaptureFixture[str]) -> None:
    """Documents → convert → train promotes a model and publishes → people → train learns from them and promotes."""
    for service in ("store", "serve", "label"):
        if service == "serve":
            containers.bucket()
        containers.start(service)
    project = containers.place / "project"
    LabelLab(containers.instance, containers.place / "site.json").project(NAME, project)
    known = truths.load(make.documents("contracts", project / "documents", 40, 7))
    containers.own()
    work = Workspace(containers.place / "work" / NAME)

    run(containers, "convert")
    texts = {each.document: work.path(each.text).read_text() for each in work.read(Converted, "converted.jsonl")}
    assert len(texts) >= 30
    run(containers, "train")
    items = {each.id: each for each in work.read(Item, "items.jsonl")}
    api = Api(f"http://{containers.instance.gateway}:8080", containers.place / "secrets/label-studio-token")

    def true(data: dict[str, Any]) -> list[tuple[int, int, str]]:
        return truths.spans(known[items[data["item"]].document], data["text"])

    did = Reviewer(api, true).work(api.project(NAME))
    run(containers, "train")

    assert did["accepted"] + did["edited"] > 0
    assert work.read(Review, "reviews.jsonl")
    served = [each.version for each in work.read(Promotion, "promotions.jsonl") if each.end is PromotionEnd.SERVING]
    assert served[0] == 1
    with capsys.disabled():
        print(f"\n{len(texts)} documents, {dict(did)}, versions served: {served}")


@pytest.mark.parametrize("service", ["store", "serve", "label"])
def test_a_server_is_bounded_as_described(containers: Containers, service: str) -> None:
    """No root, no capability, no new privilege, nothing to write to but its own folders, a limit of memory."""
    script = "id -u; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/1/status | tr -s '\\t\\n' '  '; touch /x /etc/x"
    told = containers.podman("exec", containers.name(service), "sh", "-c", script)
    limit = containers.podman("inspect", "--format", "{{.HostConfig.Memory}}", containers.name(service))

    assert told.stdout.split() == [
        "64000", "CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2",
    ], told  # fmt: skip
    assert told.stderr.count("Read-only file system") == 2
    assert int(limit.stdout) > 0


def test_no_server_was_given_a_secret_in_a_variable(containers: Containers) -> None:
    """What `inspect` tells everybody of a container holds none of its secrets."""
    secrets = [file.read_text().strip() for file in (containers.place / "secrets").iterdir()]
    for service in ("store", "serve", "label"):
        told = containers.podman("inspect", containers.name(service)).stdout
        assert not [each for each in secrets if each in told]


def test_each_image_is_listed_with_its_bill(containers: Containers, capsys: pytest.CaptureFixture[str]) -> None:
    """Size and packages are told, and the bill names them, in CycloneDX."""
    with capsys.disabled():
        for name, told in containers.images.items():
            print(f"{name}: {told['stored_bytes'] / 1e9:.2f} GB, {told['packages']} packages, {told['findings']}")
    bill = json.loads((imaging.folder(containers.instance) / "train.cdx.json").read_text())
    urls = {each["purl"].partition("@")[0] for each in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert {"pkg:pypi/torch", "pkg:pypi/transformers", "pkg:deb/debian/libc6"} <= urls


def test_a_planted_key_and_a_setuid_file_are_found(containers: Containers) -> None:
    """A key that a later layer removed and a program with its owner's rights: both are named, and the exit says no."""
    folder = containers.place / "planted"
    folder.mkdir()
    (folder / "Containerfile").write_text(PLANTED)
    base = containers.images["tools"]["id"].removeprefix("sha256:")
    words = (
        "build",
        "--network=host",
        "--format=docker",
        "--build-arg",
        f"BASE={base}",
        "--tag",
        "localhost/planted:1",
    )
    built = containers.podman(*words, str(folder))
    assert built.returncode == 0, built.stderr

    done = subprocess.run(
        [sys.executable, "-m", "workloads.cli", "images", "scan", "localhost/planted:1",
         "--engine", str(engine.program(containers.instance)), "--out", str(imaging.folder(containers.instance))],
        capture_output=True, text=True, check=False, cwd=CHECKOUT,
    )  # fmt: skip

    assert done.returncode == 23, done.stderr
    assert "etc/planted.key: a private key" in done.stderr
    assert "usr/local/bin/raised: setuid or setgid" in done.stderr


def run(containers: Containers, service: str) -> None:
    """A job that must succeed."""
    done = containers.job(service)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

"""A lab's images → containers of them, as compose.yaml says; and the folders, secrets and settings they are given."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from lab import models, network, shell
from lab.imaging import composing, engine
from tests.waiting import until

if TYPE_CHECKING:
    from lab.instance import Instance

CHECKOUT = Path(__file__).resolve().parents[3]
COMPOSE = CHECKOUT / "workloads/images/compose.yaml"
USER = 64000  # of the images
BUCKET, PREFIX, REGION = "models", "serving", "us-east-1"
EMAIL = "reviewer@lab.example"


@dataclass
class Containers:
    """`images`: id by name. All that is written lies in `place`."""

    instance: Instance
    images: dict[str, Any]
    place: Path
    settings: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Folders of the containers' user, secrets of this test, one site file."""
        network.up(self.instance)
        address = self.instance.gateway
        admin = {"Version": 1, "AccessKeyId": f"LAB{secrets.token_hex(8).upper()}"}
        store = json.dumps(admin | {"SecretAccessKey": secrets.token_urlsafe(30)})
        for name, text in {
            "store.json": store, "models.json": store, "label-studio-password": secrets.token_urlsafe(18),
            "label-studio-token": secrets.token_hex(20), "calypso-admin-key": f"key={secrets.token_urlsafe(30)}\n",
        }.items():  # fmt: skip
            self._write(f"secrets/{name}", text, 0o400)
        site: dict[str, Any] = {
            "workspace": str(self.place / "work"), "datasets": str(self.place / "datasets"),
            "artifacts": str(self.place / "models"), "python": "/opt/sparkfleet/label/bin/python",
            "label_studio": {"url": f"http://{address}:8080", "token_file": "label-studio-token"},
            "models": {"endpoint": self.endpoint, "region": REGION, "bucket": BUCKET, "prefix": PREFIX,
                       "credentials": "models.json"},
            "calypso": {"url": f"http://{address}:8001", "admin_key_file": "calypso-admin-key"},
        }  # fmt: skip
        self._write("site.json", json.dumps(site), 0o444)
        for name in ("work", "datasets", "label", "store"):
            (self.place / name).mkdir(exist_ok=True)
        shutil.copytree(models.ensure(), self.place / "models", dirs_exist_ok=True)
        self.own()
        for name, told in self.images.items():
            self.settings[f"{name.upper()}_IMAGE"] = told["id"].removeprefix("sha256:")
        self.settings |= {
            "LISTEN": address, "SECRETS": str(self.place / "secrets"), "SITE": str(self.place / "site.json"),
            "WORKSPACE": site["workspace"], "DATASETS": site["datasets"], "ARTIFACTS": site["artifacts"],
            "PROJECT": str(self.place / "project"), "LABEL_DATA": str(self.place / "label"), "LABEL_USERNAME": EMAIL,
            "STORE_DATA": str(self.place / "store"), "MODELS": f"s3://{self.endpoint}/{BUCKET}/{PREFIX}",
        }  # fmt: skip

    @property
    def endpoint(self) -> str:
        """The store's address."""
        return f"http://{self.instance.gateway}:7070"

    def own(self) -> None:
        """All that is there belongs to the containers' user."""
        for path in (self.place, *self.place.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)

    def bucket(self) -> None:
        """The models' bucket."""
        admin = json.loads((self.place / "secrets/store.json").read_text())
        s3 = boto3.client(
            "s3", endpoint_url=self.endpoint, region_name=REGION, aws_access_key_id=admin["AccessKeyId"],
            aws_secret_access_key=admin["SecretAccessKey"],
        )  # fmt: skip
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/README", Body=b"models\n")

    def start(self, service: str, within_s: float = 300) -> None:
        """Start a server; returns when its own health check is content."""
        shell.run(engine.program(self.instance), *self._words(service, "--detach", "--name", self.name(service)))
        until(lambda: self.healthy(service), lambda: f"{service} is well: {self.log(service)}", within_s, every_s=0.5)

    def healthy(self, service: str) -> bool:
        """What its own health check says."""
        return self.podman("healthcheck", "run", self.name(service)).returncode == 0

    def log(self, service: str) -> str:
        """The end of what a server said."""
        done = self.podman("logs", "--tail", "20", self.name(service))
        return done.stdout + done.stderr

    def job(self, service: str, *more: str, timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        """Run a job to its end."""
        return self.podman(*self._words(service, "--rm", more=more), timeout_s=timeout_s)

    def podman(self, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Podman with these words; never raises for its status."""
        program = str(engine.program(self.instance))
        return subprocess.run([program, *words], capture_output=True, text=True, timeout=timeout_s, check=False)

    def name(self, service: str) -> str:
        """What the container of a server is called."""
        return f"{self.instance.name}-{service}"

    def _words(self, service: str, *options: str, more: tuple[str, ...] = ()) -> list[str]:
        return composing.run(COMPOSE.read_text(), service, self.settings, *options, more=more)

    def _write(self, name: str, text: str, mode: int) -> None:
        file = self.place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

"""A store, an account before it and a host's certificate → data sets that come with a session of the account alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkfleet.host import roles_anywhere

if TYPE_CHECKING:
    from tests.lab.rolesanywhere.served import Anywhere

PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Site:
    """A store, the account before it, and a host with its configuration."""

    provisioned: Any
    anywhere: Anywhere
    folder: Path

    def environment(self, config: Path) -> dict[str, str]:
        """Of a program on the host: the one profile, and no key."""
        words = f"{sys.executable} -IS {roles_anywhere.__file__} session {config}"
        file = self.folder / "aws-config"
        file.write_text(
            f"[profile sparkfleet-datasets]\nregion = us-east-1\ncredential_process = {words}\n", encoding="utf-8"
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, "AWS_CONFIG_FILE": str(file), "PYTHONPATH": str(PROJECT)}

    def words(self, *words: str, **settings: Any) -> list[str]:
        """`spark-node datasets …` on the host."""
        file = self.folder / "datasets.json"
        endpoint = self.provisioned.connection.endpoint
        store = {"endpoint": endpoint, "region": "us-east-1", "profile": "sparkfleet-datasets"}
        one = {"bucket": self.provisioned.datasets, "prefix": "shared/mix", "version": "latest"}
        plain = {
            "folder": str(self.folder / "host"),
            "connections": 4,
            "store": store,
            "sets": {"mix": one},
            **settings,
        }
        file.write_text(json.dumps(plain))
        return [sys.executable, "-m", "workloads", "datasets", *words, "--config", str(file)]

    def publish(self, files: int, size: int) -> None:
        """By the administrator."""
        key = json.loads((Path(self.provisioned.connection.admin.removeprefix("file:"))).read_text())
        source = self.folder / "source"
        source.mkdir()
        for number in range(files):
            (source / f"{number}.bin").write_bytes(os.urandom(size))
        keys = {"AWS_ACCESS_KEY_ID": key["access_key_id"], "AWS_SECRET_ACCESS_KEY": key["secret_access_key"]}
        words = self.words("publish", "mix", str(source), "--version", "1")
        plain = json.loads((self.folder / "datasets.json").read_text())
        plain["store"]["profile"] = ""
        (self.folder / "datasets.json").write_text(json.dumps(plain))
        done = subprocess.run(
            words, env={**self.environment(Path("/")), **keys}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def sync(self, config: Path) -> subprocess.CompletedProcess[str]:
        """To its end."""
        running = self.begin(config)
        out, err = running.communicate(timeout=120)
        return subprocess.CompletedProcess(running.args, running.returncode, out, err)

    def begin(self, config: Path, **settings: Any) -> subprocess.Popen[str]:
        """A sync that runs."""
        return subprocess.Popen(
            self.words("sync", **settings),
            env=self.environment(config),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

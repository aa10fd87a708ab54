"""The name of a server, its variables and files with secrets → that server in this process's place. Runs in an image.

    python3 -m workloads.images.entry label | serve | store

Secrets are files below /run/secrets: no variable of the container and no image holds one. LISTEN says on which address
it is reached; without it nobody but this machine reaches it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECRETS = Path("/run/secrets")
LOOPBACK = "127.0.0.1"
PORTS = {"label": 8080, "serve": 8000, "store": 7070}  # serve: HTTP; gRPC and metrics follow it
# Whoever may load a model may run code in the server.
RESTRICTED = "model-repository,shared-memory,trace,logging"

Started = tuple[list[str], dict[str, str]]


def label(given: Mapping[str, str], secret: Callable[[str], str]) -> Started:
    """Label Studio; its first start makes the account LABEL_STUDIO_USERNAME with both secrets. Pure."""
    words = [
        "/opt/sparkfleet/review/bin/label-studio", "start", "--no-browser", "--internal-host", listen(given),
        "--port", str(port("label", given)),
        # Tokens that need no renewal; the newer ones are for people.
        "--enable-legacy-api-token",
        # Without it, it takes another port when this one is taken; it does nothing else.
        "--debug",
    ]  # fmt: skip
    password, token = secret("label-studio-password"), secret("label-studio-token")
    return words, {"LABEL_STUDIO_PASSWORD": password, "LABEL_STUDIO_USER_TOKEN": token}


def serve(given: Mapping[str, str], secret: Callable[[str], str]) -> Started:
    """Triton over the model repository MODELS (s3://…, or a folder), open to whoever has its key alone. Pure.

    The server takes that key on its command line alone: root on this machine sees it.
    """
    address, first, key = listen(given), port("serve", given), secret("calypso-admin-key").strip()
    words = [
        "tritonserver", "--model-repository", given["MODELS"], "--model-control-mode=explicit", "--load-model=*",
        "--exit-on-error=false", "--strict-readiness=false",
        f"--grpc-restricted-protocol={RESTRICTED}:{key}", f"--http-restricted-api={RESTRICTED}:{key}",
    ]  # fmt: skip
    for number, protocol in enumerate(("http", "grpc", "metrics")):
        words += [f"--{protocol}-address", address, f"--{protocol}-port", str(first + number)]
    if not given["MODELS"].startswith("s3:"):
        return words, {}
    store = json.loads(secret("models.json"))
    return words, {"AWS_ACCESS_KEY_ID": store["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": store["SecretAccessKey"]}


def store(given: Mapping[str, str], secret: Callable[[str], str]) -> Started:
    """An S3 server over /data, with the versions of what is written over. Pure."""
    admin = json.loads(secret("store.json"))
    words = [
        "/usr/local/bin/versitygw", "--quiet", "--port", f"{listen(given)}:{port('store', given)}",
        "--iam-dir", "/data/iam", "posix", "--versioning-dir", "/data/versions", "/data/buckets",
    ]  # fmt: skip
    return words, {"ROOT_ACCESS_KEY": admin["AccessKeyId"], "ROOT_SECRET_KEY": admin["SecretAccessKey"]}


SERVERS = {"label": label, "serve": serve, "store": store}


def listen(given: Mapping[str, str]) -> str:
    """The address on which it is reached."""
    return given.get("LISTEN") or LOOPBACK


def port(name: str, given: Mapping[str, str]) -> int:
    """The port on which it is asked over HTTP."""
    return int(given.get("PORT") or PORTS[name])


def _secret(name: str) -> str:
    return (SECRETS / name).read_text(encoding="utf-8")


def main() -> None:
    """Become the server; ends with 3 where something is lacking."""
    name = sys.argv[1]
    try:
        words, variables = SERVERS[name](os.environ, _secret)
        for folder in ("iam", "versions", "buckets") if name == "store" else ():
            Path("/data", folder).mkdir(exist_ok=True)
    except (OSError, KeyError, ValueError) as error:
        print(f"{name}: it lacks a variable or a secret: {error}", file=sys.stderr)
        sys.exit(3)
    os.execvpe(words[0], words, {**os.environ, **variables})  # noqa: S606  (a list, made above)


if __name__ == "__main__":
    main()

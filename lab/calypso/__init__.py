"""An instance → its Calypso: NVIDIA's own tritonserver, without a GPU and without a model until somebody loads one.

The program comes from the wheel nvidia-pytriton (requirements/triton.txt) and is version 2.51.0, release 24.10. Real:
the server and its gRPC, HTTP and metrics endpoints. Not there: CUDA, and every backend but Python, on top of which
`backend/` runs ONNX models under the name that production's configs ask for.

    python -m lab calypso          start it; says where it is reached
    python -m lab calypso --stop   end it; `down` does that, too
"""

from __future__ import annotations

import os
import secrets
import shutil
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from lab import environments, record, store
from lab.progress import silent
from lab.spark.factory import secret

if TYPE_CHECKING:
    from lab.calypso.repository import Repository
    from lab.instance import Instance
    from lab.progress import Step

LABEL = "calypso"
HTTP_PORT, GRPC_PORT, METRICS_PORT = 8000, 8001, 8002  # Triton's own
BACKENDS = "backends"
ONNX = Path(__file__).parent / "backend" / "model.py"
# Whoever may load a model may run code on the server: files in the request, and a backend that runs Python.
RESTRICTED = "model-repository,shared-memory,trace,logging"
ADMIN = "calypso-admin"
READY_WITHIN_S = 120.0  # it answers once it has loaded all that was served, some seconds each on a busy machine


def ensure(step: Step = silent) -> Path:
    """The folder with the server in the cache, 300 MB: made once for a lock and a Python, shared by all checkouts."""

    def finish(folder: Path) -> None:
        # Without the stub beside it the backend is found, and every model fails to load.
        tritonserver = environments.packages(folder) / "pytriton" / "tritonserver"
        shutil.copytree(tritonserver / "backends", folder / BACKENDS)
        stub = tritonserver / "python_backend_stubs" / sysconfig.get_python_version() / "triton_python_backend_stub"
        shutil.copy2(stub, folder / BACKENDS / "python")

    return environments.ensure("triton", step, finish)


def up(instance: Instance, folder: Path, *options: str, repository: Repository | None = None) -> str:
    """Start the server unless it runs; returns its gRPC address once it answers. `options`: its own, beside ours.

    The lab's network must be there. Without a `repository` (lab.calypso.repository) models lie in `models(instance)`;
    with one they come from there, what was served is loaded at the start, and only `admin_key` opens the repository.
    """
    models(instance).mkdir(parents=True, exist_ok=True)
    if record.alive(instance, LABEL) is None:
        words, variables = command(instance, folder, repository), environment(folder)
        if repository:
            words += ["--load-model=*", "--exit-on-error=false", *restricted(instance)]
            variables |= repository.environment
        record.start(instance, LABEL, [*words, *options], log(instance), variables)
    store.wait_for(instance, LABEL, HTTP_PORT, READY_WITHIN_S)
    return f"http://{instance.gateway}:{GRPC_PORT}"


def stop(instance: Instance) -> None:
    """End the server, if it runs."""
    record.stop(instance, LABEL)


def command(instance: Instance, folder: Path, repository: Repository | None = None) -> list[str]:
    """How the server is started: reached on the lab's bridge alone."""
    address = instance.gateway
    return [
        str(environments.packages(folder) / "pytriton" / "tritonserver" / "bin" / "tritonserver"),
        "--model-repository", repository.url if repository else str(models(instance)),
        "--model-control-mode=explicit",
        "--backend-directory", str(backends(instance, folder)),
        # A model that unloads must not make the server look broken.
        "--strict-readiness=false",
        "--http-address", address, "--http-port", str(HTTP_PORT),
        "--grpc-address", address, "--grpc-port", str(GRPC_PORT),
        "--metrics-address", address, "--metrics-port", str(METRICS_PORT),
    ]  # fmt: skip


def restricted(instance: Instance) -> list[str]:
    """The options that ask for the key. The server takes it on its command line alone: this machine's users see it."""
    header = admin_key(instance).read_text().strip()
    return [f"--grpc-restricted-protocol={RESTRICTED}:{header}", f"--http-restricted-api={RESTRICTED}:{header}"]


def admin_key(instance: Instance) -> Path:
    """The file with KEY=VALUE of the restricted protocols; made at random, 0600, when there is none."""
    return secret(instance.secrets / ADMIN, lambda: f"{ADMIN}={secrets.token_urlsafe(30)}\n")


def backends(instance: Instance, folder: Path) -> Path:
    """What the server can run: its own Python backend, and ours on top of it."""
    laid = instance.folder / "calypso" / BACKENDS
    (laid / "onnxruntime").mkdir(parents=True, exist_ok=True)
    shutil.copy2(ONNX, laid / "onnxruntime")
    python = laid / "python"
    python.unlink(missing_ok=True)
    python.symlink_to(folder / BACKENDS / "python")
    return laid


def environment(folder: Path) -> dict[str, str]:
    """What it and the backend's stub need to find their libraries, and the Python that runs models."""
    libraries = [environments.packages(folder) / "nvidia_pytriton.libs", sysconfig.get_config_var("LIBDIR")]
    return {
        "PATH": f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(environments.packages(folder)),
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
    }


def models(instance: Instance) -> Path:
    """The model repository, empty at first."""
    return instance.folder / "calypso" / "models"


def log(instance: Instance) -> Path:
    """What the server said."""
    return store.log(instance, LABEL)

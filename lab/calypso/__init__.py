"""An instance → its Calypso: NVIDIA's own tritonserver, without a GPU and without a model until somebody loads one.

The program comes from the wheel nvidia-pytriton (requirements/triton.txt) and is version 2.51.0, release 24.10. Real:
the server and its gRPC, HTTP and metrics endpoints. Not there: CUDA, and every backend but Python.

    python -m lab calypso          start it; says where it is reached
    python -m lab calypso --stop   end it; `down` does that, too
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from typing import TYPE_CHECKING

from lab import environments, record, store
from lab.progress import silent

if TYPE_CHECKING:
    from pathlib import Path

    from lab.instance import Instance
    from lab.progress import Step

LABEL = "calypso"
HTTP_PORT, GRPC_PORT, METRICS_PORT = 8000, 8001, 8002  # Triton's own
BACKENDS = "backends"


def ensure(step: Step = silent) -> Path:
    """The folder with the server in the cache, 300 MB: made once for a lock and a Python, shared by all checkouts."""

    def finish(folder: Path) -> None:
        # Without the stub beside it the backend is found, and every model fails to load.
        tritonserver = environments.packages(folder) / "pytriton" / "tritonserver"
        shutil.copytree(tritonserver / "backends", folder / BACKENDS)
        stub = tritonserver / "python_backend_stubs" / sysconfig.get_python_version() / "triton_python_backend_stub"
        shutil.copy2(stub, folder / BACKENDS / "python")

    return environments.ensure("triton", step, finish)


def up(instance: Instance, folder: Path, *options: str) -> str:
    """Start the server unless it runs; returns its gRPC address once it answers. `options`: its own, beside ours.

    The lab's network must be there. Models lie in `models(instance)` and are loaded by whoever wants them.
    """
    models(instance).mkdir(parents=True, exist_ok=True)
    if record.alive(instance, LABEL) is None:
        record.start(instance, LABEL, [*command(instance, folder), *options], log(instance), environment(folder))
    store.wait_for(instance, LABEL, HTTP_PORT)
    return f"http://{instance.gateway}:{GRPC_PORT}"


def stop(instance: Instance) -> None:
    """End the server, if it runs."""
    record.stop(instance, LABEL)


def command(instance: Instance, folder: Path) -> list[str]:
    """How the server is started: reached on the lab's bridge alone."""
    address = instance.gateway
    return [
        str(environments.packages(folder) / "pytriton" / "tritonserver" / "bin" / "tritonserver"),
        "--model-repository", str(models(instance)), "--model-control-mode=explicit",
        "--backend-directory", str(folder / BACKENDS),
        # A model that unloads must not make the server look broken.
        "--strict-readiness=false",
        "--http-address", address, "--http-port", str(HTTP_PORT),
        "--grpc-address", address, "--grpc-port", str(GRPC_PORT),
        "--metrics-address", address, "--metrics-port", str(METRICS_PORT),
    ]  # fmt: skip


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

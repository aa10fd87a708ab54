"""Fleet, host → what the role containers wants of a host beside its templates.

The engine's settings and root's login at the registry lie in files of their owners: they are merged, value by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.host.merged import flat
from sparkfleet.host.parts import ENABLED, RUNNING, Parts, Secret

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

DAEMON, CLIENT = "/etc/docker/daemon.json", "/root/.docker/config.json"
NGC, NGC_KEY = "containers/ngc", "/etc/sparkfleet/ngc-key"
NGC_HELPER = "sparkfleet-ngc"  # Docker looks for the program docker-credential-sparkfleet-ngc
CDI_REFRESH, ENGINE_RELOAD = "sparkfleet/host/cdi_refresh.py", "sparkfleet/host/engine_reload.py"
SELF_TEST = "workloads/images/gpu_selftest.py"
IMAGES = "/etc/sparkfleet/images"
LOOP = {f"{IMAGES}/{name}": f"workloads/images/{name}" for name in ("compose.yaml", "compose.gpu.yaml")}
PROGRAMS = "/usr/local/lib/sparkfleet"


def containers(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """The toolkit, CDI, the engine's settings, NGC's key, and PyTorch's self-test."""
    wanted = fleet.containers
    raw = {f"{PROGRAMS}/cdi-refresh.py": CDI_REFRESH, f"{PROGRAMS}/engine-reload.py": ENGINE_RELOAD}
    if wanted.pytorch:
        raw[f"{PROGRAMS}/gpu-selftest.py"] = SELF_TEST
    secrets = {NGC_KEY: Secret(wanted.ngc_key, NGC)} if wanted.ngc_key else {}
    if wanted.loop:
        raw |= LOOP
        secrets |= {f"{IMAGES}/{file}": Secret(of, f"images/{file}") for file, of in wanted.loop.secrets.items()}
    return Parts(
        packages=(wanted.toolkit,) if wanted.toolkit else (),
        units={"sparkfleet-cdi.path": RUNNING, "sparkfleet-cdi.service": ENABLED},
        raw=raw,
        secrets=secrets,
        merged={path: values for path, values in _merged(fleet).items() if values},
        validators={DAEMON: "dockerd --validate --config-file=%s"},
    )


def _merged(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """Pointers and values; what is as NVIDIA's own `nvidia-ctk runtime configure` writes it is no change on DGX OS."""
    wanted = fleet.containers
    engine = dict(flat(wanted.engine))
    if wanted.cdi:
        engine["/features/cdi"] = True
    if wanted.runtime:
        engine |= {"/runtimes/nvidia/path": "nvidia-container-runtime", "/runtimes/nvidia/args": []}
    # A helper instead of a login: the key stands in one file, and in no other program's settings.
    client = {f"/credHelpers/{wanted.key_opens}": NGC_HELPER} if wanted.ngc_key else {}
    return {DAEMON: engine, CLIENT: client}

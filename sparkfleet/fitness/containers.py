"""The description of container engine, GPU access, registry login and the PyTorch container, typed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue

from sparkfleet.forms import ByteSize, Described, HostPath, PackageName, SecretReference, matching

# A tag is moved by whoever publishes: only a digest names one image.
IMAGE = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]+)?@sha256:[0-9a-f]{64}"
Image = Annotated[str, matching(IMAGE, "an image pinned by digest, registry/name:tag@sha256:<64 hex digits>")]
Registry = Annotated[str, matching(r"([a-z0-9.-]+(:[0-9]+)?)?", 'a host name such as "registry.example", or ""')]
Size = Annotated[str, matching(r"[1-9][0-9]*[mg]", 'a size such as "16g"')]
# Whoever reaches the engine's socket is root.
REFUSED = {
    "hosts": "the engine answers on its local socket alone",
    "insecure-registries": "images come over TLS",
    "runtimes": "the NVIDIA runtime is described by `runtime`; others belong into the file itself, which is kept",
}


def _engine(value: dict[str, Any]) -> dict[str, Any]:
    for key, why in REFUSED.items():
        if key in value:
            raise ValueError(f"{key} cannot be described here: {why}")
    if any(leaf is None for leaf in _leaves(value)):
        raise ValueError("expected a value, found null; leave out what is to stay as it is")
    return value


def _leaves(value: Any) -> list[Any]:
    return [leaf for each in value.values() for leaf in _leaves(each)] if isinstance(value, dict) else [value]


class PyTorch(Described):
    """NGC's PyTorch container as a compose file, which people start; its GPU self-test beside it."""

    image: Image
    workspace: HostPath = Field(default="/var/lib/sparkfleet/workspace", validate_default=True)
    shm_size: Size = Field(
        default="16g", description="its /dev/shm: of the one memory that CPU and GPU share, given back with it"
    )


Service = Literal["convert", "train", "label", "store", "serve"]
LoopSecret = Literal["label-studio-password", "label-studio-token", "store.json", "models.json", "calypso-admin-key"]
Account = Annotated[str, matching(r"([^\s@]+@[^\s@]+)?", 'an address such as "reviews@labels.example", or ""')]
Repository = Annotated[str, matching(r"((s3://|/)[^\s\"'\\]+)?", 'a folder, or "s3://…" as tritonserver takes it')]


class Loop(Described):
    """The label loop in containers, beside the role label: its user, its workspace and its site file are used."""

    images: dict[Service, Image] = Field(
        min_length=1, description="from `spark-node images build`, pushed to a registry of yours"
    )
    memory: dict[Service, Size] = Field(default_factory=dict, description="of the host's programs' side, as 16g")
    need: dict[Literal["convert", "train", "serve"], ByteSize] = Field(
        default_factory=dict, description="what the memory guard is asked for before the start, GPU included"
    )
    secrets: dict[LoopSecret, SecretReference] = Field(default_factory=dict, description="of the servers, by file")
    account: Account = Field(default="", description="of Label Studio's administrator, made at its first start")
    models: Repository = Field(default="", description="what `serve` serves from")


class Containers(Described):
    """Container engine and NVIDIA's toolkit, on hosts with the role containers."""

    toolkit: PackageName | Literal[""] = Field(
        default="nvidia-container-toolkit", description='the package; "": the host has it by other means, or not at all'
    )
    cdi: bool = Field(default=True, description="devices by their CDI names, nvidia.com/gpu=all")
    runtime: bool = Field(default=True, description="the runtime nvidia, which `--gpus all` and old scripts ask for")
    engine: Annotated[dict[str, JsonValue], AfterValidator(_engine)] = Field(
        default_factory=dict, description="more of /etc/docker/daemon.json, merged into it value by value"
    )
    ngc_key: SecretReference | None = Field(default=None, description="API key of NGC, with which root pulls images")
    ngc_registry: Registry = Field(
        default="",
        description="the host in the names of NGC's images, which the key opens; empty: that of pytorch.image",
    )
    pytorch: PyTorch | None = None
    loop: Loop | None = None

    @property
    def key_opens(self) -> str:
        """The registry's host name; empty when none is described."""
        return self.ngc_registry or (self.pytorch.image.partition("/")[0] if self.pytorch else "")

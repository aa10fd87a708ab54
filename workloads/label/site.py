"""label.json → Site: where a machine finds the services of the label loop. By reference only: no secret is in it.

A secret named without a folder is one of the unit's credentials (systemd.exec(5)), else it lies beside the file.

/etc/sparkfleet/label.json is rendered from the fleet description; the lab writes one beside its services.
"""

from __future__ import annotations

import json
import os
import sysconfig
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from workloads.datasets.config import StoreAt
from workloads.errors import ConfigError, printable
from workloads.label.params import Section, faults
from workloads.label.recurring.described import Recurring

DEFAULT = Path("/etc/sparkfleet/label.json")
VARIABLE = "SPARKFLEET_LABEL_SITE"


def _found(file: Path, info: ValidationInfo) -> Path:
    """Where a secret's file is; one with a folder of its own is there."""
    return Path((info.context or {}).get("secrets", "")) / file


SecretFile = Annotated[Path, AfterValidator(_found)]


class LabelStudio(Section):
    """The server that people review with."""

    url: str = Field(pattern=r"^https?://")
    token_file: SecretFile  # an API token, mode 0600


class Bucket(Section):
    """A bucket of an object store, and whose key opens it."""

    endpoint: str | None = None  # None: AWS
    region: str | None = None
    bucket: str
    credentials: SecretFile | None = None  # answers as a credential_process does, mode 0600
    profile: str = ""  # or a profile of the AWS config file
    aws_config: Path | None = None  # this one; None: where the AWS CLI looks

    @property
    def store(self) -> StoreAt:
        """As the engine of data sets wants it."""
        return StoreAt(self.endpoint, self.region, self.credentials, self.profile, self.aws_config)


class Models(Bucket):
    """Calypso's model repository."""

    prefix: str = ""  # below which a folder a model lies


class Keeping(Bucket):
    """Where the projects' small records are kept, so that they outlive the machine."""

    host: str = Field(pattern=r"^[a-z][a-z0-9-]*$")  # this one: each host writes below its own name

    def prefix(self, project: str, host: str = "") -> str:
        """Where a project's are, of this host or another."""
        return f"hosts/{host or self.host}/label/{project}"


class Calypso(Section):
    """The Triton server."""

    url: str  # gRPC: http://host:8001
    metrics_url: str = ""  # http://host:8002/metrics
    admin_key_file: SecretFile | None = None  # KEY=VALUE of its restricted model-repository protocol


class Ray(Section):
    """The machines that share a stage's work with this one."""

    address: str = Field(pattern=r"^[^\s/]+:[0-9]+$")  # of Ray's head
    own_address: str  # by which the others reach this machine
    token_file: SecretFile  # the same on all of them, mode 0600
    packages: Path = Path(f"/opt/sparkfleet/ray/lib/python{sysconfig.get_python_version()}/site-packages")
    store_mib: int = Field(default=1024, ge=128)  # of unified memory, for what is on its way between machines

    @property
    def share_bytes(self) -> int:
        """Of a machine's share of the work: two of them and their results fit into the store."""
        return self.store_mib << 18


class Site(Section):
    """The whole file."""

    workspace: Path = Path("/var/lib/sparkfleet/label")
    datasets: Path = Path("/var/lib/sparkfleet/datasets")
    artifacts: Path = Path("/var/lib/sparkfleet/models")  # Docling's models, and base-model/
    python: Path = Path("/opt/sparkfleet/label/bin/python")  # of the environment in requirements/label.txt
    label_studio: LabelStudio | None = None
    models: Models | None = None
    keeping: Keeping | None = None  # None: they are on this machine alone
    calypso: Calypso | None = None
    recurring: Recurring = Recurring()
    ray: Ray | None = None  # None: it works alone

    @property
    def base_model(self) -> Path:
        """What training starts from where a project names nothing else."""
        return self.artifacts / "base-model"


def load(file: Path | None = None) -> Site:
    """The file that is named, or $SPARKFLEET_LABEL_SITE, or the default one; raises ConfigError with every fault."""
    file = file or Path(os.environ.get(VARIABLE) or DEFAULT)
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{file} is not there",
            usually="the host has no role label yet, or the lab's services are not up",
            next_step="describe the role and run `pulumi up`, or `python -m lab label`, or name a file with --site.",
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {printable(str(error))}") from error
    try:
        secrets = os.environ.get("CREDENTIALS_DIRECTORY") or file.absolute().parent
        return Site.model_validate(data, context={"secrets": secrets})
    except ValidationError as error:
        raise ConfigError(faults(file, error), next_step="mend the file, or the description.") from None

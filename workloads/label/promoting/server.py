"""Calypso's Triton server → models loaded, questions answered, statistics. The only module that speaks to it.

A request that only looks is sent again while the server does not answer (it may be starting); whoever calls decides
what a model that does not load means.
"""

from __future__ import annotations

import os
import time
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloads.errors import ConfigError, GateError, ServiceError, printable
from workloads.label.patience import Again, Patience, insist

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.label.site import Calypso

RESTRICTED = "triton-grpc-protocol-"  # what the server puts before the KEY of --grpc-restricted-protocol
LOAD_S = 300.0  # a model of some hundred MB from a slow store
ANSWER_S = 10.0
PATIENCE_S = 120.0  # a server that restarts loads its models before it answers
PAUSE_S = 0.5
SILENT = {"StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED"}
REFUSED = "This protocol is restricted"


@dataclass(frozen=True)
class Counted:
    """What the server counted of one version since it was loaded."""

    succeeded: int = 0
    failed: int = 0
    seconds: float = 0.0  # of all that succeeded, with their time in the queue

    def since(self, before: Counted) -> Counted:
        """What came on top; all of it where the server began to count anew."""
        if before.succeeded > self.succeeded or before.failed > self.failed:
            return self
        return Counted(self.succeeded - before.succeeded, self.failed - before.failed, self.seconds - before.seconds)


@dataclass(frozen=True)
class Answer:
    """Class of each token, and the version that said so."""

    classes: list[int]
    version: int
    seconds: float


class Server:
    """One server. Raises ServiceError for no answer, GateError for a model that it refuses to load."""

    def __init__(self, at: Calypso, patience_s: float = PATIENCE_S) -> None:
        # Before gRPC is loaded: its core writes to stderr by itself, what it says is in the error, too.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from tritonclient import grpc

        parts = urllib.parse.urlsplit(at.url)
        if parts.scheme not in {"http", "https"} or not parts.port:
            raise ConfigError(f"calypso.url is {printable(at.url)}", next_step="it reads http://HOST:8001.")
        self._grpc, self._url, self._patience_s = grpc, at.url, patience_s
        self._client = grpc.InferenceServerClient(parts.netloc, ssl=parts.scheme == "https")
        self._key = _header(at)

    def load(self, model: str, config: str | None = None, files: dict[str, bytes] | None = None) -> None:
        """Load what the repository says, or `config` (JSON) and `files`; raises GateError with the server's reason."""
        told: dict[str, Any] = {"config": config, "files": {f"file:{k}": v for k, v in files.items()}} if files else {}
        try:
            self._client.load_model(model, headers=self._key, client_timeout=LOAD_S, **told)
        except self._grpc.InferenceServerException as error:
            if _silent(error):
                raise self._silence(error) from None
            raise GateError(
                f"Calypso does not load {printable(model)}: {printable(_reason(error))}",
                usually="the file is damaged, or the server lacks what the model needs",
                next_step="what served goes on; train anew.",
            ) from None

    def as_json(self, config: str) -> str:
        """A config.pbtxt as the protocol wants it in a request."""
        from google.protobuf import json_format, text_format

        parsed = text_format.Parse(config, self._grpc.model_config_pb2.ModelConfig())
        return str(json_format.MessageToJson(parsed, preserving_proto_field_name=True))

    def unload(self, model: str) -> None:
        """Let go of a model; one that is not loaded is no error."""
        self._ask(lambda: self._client.unload_model(model, headers=self._key, client_timeout=ANSWER_S))

    def serves(self, model: str, version: int) -> bool:
        """Whether it answers for this version, and this is the one that its config names."""
        if not self._ask(lambda: self._client.is_model_ready(model, str(version), client_timeout=ANSWER_S)):
            return False
        return list(self._config(model).version_policy.specific.versions) == [version]

    def run_of(self, model: str) -> str:
        """The run that the served model names; empty when it names none."""
        return str(self._config(model).parameters["spark_run_id"].string_value)

    def infer(self, model: str, tokens: list[int], patience_s: float = 0.0) -> Answer:
        """The class of each token, by whatever version it serves; raises GateError when the model cannot."""
        import numpy as np

        ids = np.array([tokens], dtype=np.int64)
        inputs = []
        for name, values in (("input_ids", ids), ("attention_mask", np.ones_like(ids))):
            inputs.append(self._grpc.InferInput(name, list(values.shape), "INT64").set_data_from_numpy(values))
        began = time.monotonic()
        try:
            said = self._ask(lambda: self._client.infer(model, inputs, client_timeout=ANSWER_S), patience_s)
        except self._grpc.InferenceServerException as error:
            raise GateError(f"{printable(model)} does not answer: {printable(_reason(error))}") from None
        took = time.monotonic() - began
        logits = said.as_numpy("logits")
        if logits is None or logits.ndim != 3:  # batch, token, class
            raise GateError(f"{printable(model)} answers with something else than logits")
        return Answer(logits[0].argmax(-1).tolist(), int(said.get_response().model_version), took)

    def counted(self, model: str, version: int) -> Counted:
        """What it counted of a version; nothing for one that it does not know."""
        try:
            asked = self._ask(
                lambda: self._client.get_inference_statistics(model, str(version), client_timeout=ANSWER_S)
            )
        except self._grpc.InferenceServerException:
            return Counted()
        of = asked.model_stats[0].inference_stats
        return Counted(of.success.count, of.fail.count, of.success.ns / 1e9)

    def _config(self, model: str) -> Any:
        return self._ask(lambda: self._client.get_model_config(model, client_timeout=ANSWER_S)).config

    def _ask(self, question: Callable[[], Any], patience_s: float | None = None) -> Any:
        """The answer; while there is none, again, for as long as patience lasts."""

        def attempt() -> Any:
            try:
                return question()
            except self._grpc.InferenceServerException as error:
                if not _silent(error):
                    raise
                silence = self._silence(error)
                if REFUSED in str(error.message()):
                    raise silence from None
                raise Again(silence) from None

        total_s = self._patience_s if patience_s is None else patience_s
        return insist(attempt, Patience(total_s=total_s, first_s=PAUSE_S, most_s=PAUSE_S), lambda *_: None)

    def _silence(self, error: Any) -> ServiceError:
        if REFUSED in str(error.message()):
            return ServiceError(
                f"Calypso at {printable(self._url)} keeps its model repository shut",
                usually="calypso.admin_key_file of the site is missing, or holds another key than the server's",
                next_step="put KEY=VALUE of its --grpc-restricted-protocol into that file.",
            )
        return ServiceError(
            f"Calypso at {printable(self._url)} does not answer: {printable(_reason(error))}",
            usually="the server is down or restarts, or the network to it is",
            next_step="when it answers again, run the same command: the promotion goes on.",
        )


def _silent(error: Any) -> bool:
    return str(error.status()) in SILENT


def _reason(error: Any) -> str:
    return " ".join(str(error.message() or error.status()).split())


def _header(at: Calypso) -> dict[str, str]:
    if at.admin_key_file is None:
        return {}
    try:
        key, _, value = at.admin_key_file.read_text(encoding="ascii").strip().partition("=")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{at.admin_key_file} cannot be read: {type(error).__name__}") from None
    if not key or not value:
        raise ConfigError(f"{at.admin_key_file} holds no KEY=VALUE")
    return {RESTRICTED + key: value}

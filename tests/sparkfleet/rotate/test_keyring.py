"""The automation key's files while it is replaced, and host keys pinned, replaced and revoked in known_hosts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sparkfleet import secrets
from sparkfleet.errors import SparkfleetError
from sparkfleet.host import keyring, sources
from sparkfleet.host.keyring import PublicKey
from sparkfleet.model import Controller, Fleet

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "office"


class KilledError(BaseException):
    """Stands for kill -9: no handler of the code under test may catch it."""


def made() -> PublicKey:
    """A new host key."""
    public = Ed25519PrivateKey.generate().public_key()
    return PublicKey(*public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode().split()[:2])


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    """A controller with an automation key."""
    found = Controller(folder=tmp_path)
    keyring.ensure_key_pair(found, NAME)
    return found


def test_a_switch_killed_between_any_two_acts_is_finished_by_the_next(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`automation` is a whole key at every moment, the old one is kept, and both halves agree at the end."""
    acts = 0
    while True:
        acts += 1
        old, new = keyring.controller_key(controller), keyring.stage(controller)
        with monkeypatch.context() as patch:
            kill = killing(acts)
            patch.setattr(os, "link", kill(os.link))
            patch.setattr(Path, "replace", kill(Path.replace))
            patch.setattr(secrets, "write", kill(secrets.write))
            try:
                keyring.switch(controller, NAME)
                finished = True
            except KilledError:
                finished = False
        assert keyring.controller_key(controller) in {old, new}
        keyring.switch(controller, NAME)
        assert keyring.controller_key(controller) == new
        assert keyring.controller_key(controller, ".old") == old
        assert keyring.controller_key(controller, ".new") is None
        assert keyring.published(controller)
        keyring.forget(controller, ".old")
        if finished:
            break
    assert acts > 3, "link, rename, write: at least so many acts must have been tried"


def killing(acts: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Wrap functions so that the process is as good as dead once they have returned `acts` times together."""
    done = 0

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            result = function(*args, **kwargs)
            done += 1
            if done == acts:
                raise KilledError
            return result

        return call

    return wrap


def test_nothing_is_rendered_from_a_key_pair_whose_halves_disagree(controller: Controller, tmp_path: Path) -> None:
    """Between the two renames `pulumi up` would lock itself out: it is told to finish the rotation first."""
    fleet = Fleet.model_validate(
        {"fleet": NAME, "controller": {"folder": str(tmp_path)}, "hosts": {"spark-01": {"addresses": ["192.0.2.1"]}}}
    )
    before = controller.private_key.with_suffix(".pub").read_text()
    keyring.stage(controller)
    keyring.switch(controller, NAME)
    assert sources.read(fleet).automation_key != before.strip()
    controller.private_key.with_suffix(".pub").write_text(before)
    with pytest.raises(SparkfleetError, match="spark rotate ssh"):
        sources.read(fleet)


def test_two_keys_may_be_pinned_and_one_is_left(controller: Controller) -> None:
    """Both stand under the name, in order; pinning one again leaves that alone, and other names as they were."""
    old, new, other = made(), made(), made()
    keyring.pin_host(controller, "spark-02", other)
    keyring.pin_host(controller, "spark-01", old, new)
    assert keyring.pinned(keyring.read_pins(controller), "spark-01") == [old, new]
    keyring.pin_host(controller, "spark-01", new)
    assert keyring.pinned(keyring.read_pins(controller), "spark-01") == [new]
    assert keyring.pinned(keyring.read_pins(controller), "spark-02") == [other]


def test_ssh_reads_a_revoked_key_as_revoked_under_every_name(controller: Controller) -> None:
    """ssh-keygen, which reads known_hosts as ssh does, finds the mark for any name; the pin itself is gone."""
    key, other = made(), made()
    keyring.pin_host(controller, "spark-01", key)
    keyring.pin_host(controller, "spark-02", other)
    keyring.revoke_host(controller, "spark-01")
    keyring.revoke_host(controller, "spark-01")
    text = keyring.read_pins(controller)
    assert keyring.pinned(text, "spark-01") == []
    assert keyring.revoked(text) == {key}
    assert keyring.pinned(text, "spark-02") == [other]
    found = subprocess.run(
        ["ssh-keygen", "-F", "any-name", "-f", controller.known_hosts], capture_output=True, text=True, check=True
    )
    assert [line for line in found.stdout.splitlines() if line.startswith("@")] == [f"@revoked * {key}"]
    keyring.pin_host(controller, "spark-01", made())
    assert keyring.revoked(keyring.read_pins(controller)) == {key}

"""A machine's address and one way to log in → a door through which adopt_script.py runs there as root."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any, Self

from sparkfleet.errors import AdoptError
from sparkfleet.host.connection import LoginRefusedError, Session, Target
from sparkfleet.host.step import last_words
from sparkfleet.text import parsed, printable

if TYPE_CHECKING:
    from collections.abc import Callable


class StepError(ValueError):
    """What the script says that it could not do, or what is wrong with its answer."""


class Door:
    """A session in which the adoption script runs as root: sudo without a password, or with one through its stdin."""

    def __init__(self, session: Session, password: str = "") -> None:
        """Raises AdoptError when sudo refuses; the password is tried on `true` alone before a script follows it."""
        self.session, self._password = session, ""
        if session.run("sudo -n true").code == 0:
            return
        # -k: a password must be asked for now, or the script's first line would be the password.
        tried = session.run("sudo -k -S -p '' true", stdin=f"{password}\n") if password else None
        if tried is None or tried.code != 0:
            session.close()
            said = tried.stderr.strip().splitlines()[-1:] if tried else []
            raise AdoptError(
                f"{session.target.user} cannot become root on {session.target.name}"
                + (f" (sudo: {printable(said[0].replace(password, '…'))})." if said else "."),
                usually="the account is not in the group sudo."
                if password
                else "the sudo rule /etc/sudoers.d/90-sparkfleet is missing or another one overrides it.",
                next_step="put it right on the machine's console; then run the same command again.",
            )
        self._password = f"{password}\n"

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request of adopt_script.py and its answer; raises AdoptError for what the host could not do."""
        script = resources.files("sparkfleet.host").joinpath("adopt_script.py").read_text()
        sudo = "sudo -k -S -p ''" if self._password else "sudo -n"
        said = self.session.run(
            f'{sudo} python3 -IS - "${{SSH_CONNECTION%% *}}"',
            stdin=f"{self._password}{script}\n\nmain(json.loads({json.dumps(request)!r}))\n",
            timeout_s=120.0,
        )
        try:
            return read(request["do"], parsed(said.stdout))
        except ValueError as error:
            words = str(error) if isinstance(error, StepError) else last_words(said)
            text = printable(words.replace(self._password.strip(), "…") if self._password else words)
            raise AdoptError(
                f"{self.session.target.name} could not do the step {request['do']!r}: {text}.",
                usually="the disk is full or read-only, or python3 or openssh-server is not as DGX OS ships it.",
                next_step="put it right; then run the same command again: it goes on where it stopped.",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()


def read(step: str, answer: object) -> dict[str, Any]:
    """The script's answer to a step, with all that it must hold and nothing else; raises StepError.

    Texts for people are printable. Lines of files stay as they are: they go back to the host to be dropped.
    """
    if not isinstance(answer, dict):
        raise StepError("its answer is not what the script says")
    if "error" in answer:
        raise StepError(str(answer["error"]))
    try:
        return {name: form(answer[name]) for name, form in FORMS[step].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise StepError("its answer is not what the script says") from error


def _raw(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text(value: Any) -> str:
    return printable(_raw(value))


def _list(value: Any, form: Callable[[Any], str] = _text) -> list[str]:
    if not isinstance(value, list):
        raise TypeError
    return [form(one) for one in value]


def _files(value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {path: {"user": _raw(f["user"]), "lines": _list(f["lines"], _raw)} for path, f in value.items()}


def _record(value: dict[str, Any]) -> dict[str, Any]:
    return {"kept_keys": _list(value.get("kept_keys", []))}


def _texts_by_name(value: dict[str, Any]) -> dict[str, str]:
    return {printable(name): _text(text) for name, text in value.items()}


FORMS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "install": {"changed": _list, "sshd": _texts_by_name},
    "survey": {"files": _files, "notes": _list, "sudoers": _list, "machine_id": _text, "record": _record},
    "drop": {"changed": _list},
    "restore": {"changed": _list},
    "record": {"changed": _list},
}


def prove(target: Target, sshd: dict[str, str]) -> Door:
    """A new connection with nothing but the controller's key, and root without a password; raises AdoptError."""
    try:
        return Door(Session(target))
    except LoginRefusedError as error:
        raise AdoptError(
            f"{target.name} refuses {target.user}'s new key; no other way in was taken away.",
            usually="sshd is set to refuse it: " + ", ".join(f"{k} {v}" for k, v in sorted(sshd.items())) + ".",
            next_step="let sshd accept it; then run the same command again.",
        ) from error


def automation_door(target: Target) -> Door | None:
    """The way in of a machine that was adopted before; None when there is none (any more)."""
    try:
        return Door(Session(target))
    except (LoginRefusedError, AdoptError):
        return None


def setup_door(target: Target, password: Callable[[], str], say: Callable[[str], None]) -> Door:
    """The way in of a factory machine; asks for the password only now. Raises AdoptError when it does not open."""
    say(f"{target.name}: logging in as {target.user} with its password, this once")
    secret = password()
    if not secret:
        raise AdoptError(
            f"no password for {target.user} was given.",
            next_step="give --password-file, set SPARK_SETUP_PASSWORD, or answer the prompt.",
        )
    try:
        session = Session(target, password=secret)
    except LoginRefusedError as error:
        raise AdoptError(
            f"{target.name} refused the password of {target.user}; nothing was changed on the machine.",
            usually="the password is wrong, the account is called otherwise (--user), or sshd takes no passwords.",
            next_step=f"try `ssh {target.user}@{target.addresses[0]}` by hand; then run the same command again.",
        ) from error
    return Door(session, secret)

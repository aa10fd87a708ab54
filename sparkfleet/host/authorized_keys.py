"""authorized_keys lines → the keys that can log in, and what the owner's words do with each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from sparkfleet.errors import AdoptError
from sparkfleet.host.keyring import PublicKey, public_key
from sparkfleet.text import printable

Word = Literal["keep", "drop", "ask"]
FINGERPRINT = re.compile(r"^SHA256:[A-Za-z0-9+/]{43}$")


@dataclass(frozen=True)
class ExistingKey:
    """One line of one authorized_keys file on the host. `key` is None when the line cannot be read as a key."""

    user: str
    file: str
    line: str
    key: PublicKey | None
    comment: str = ""
    options: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA256:…; empty when the line cannot be read."""
        return self.key.fingerprint if self.key else ""

    def __str__(self) -> str:
        if self.key is None:
            return printable(f"{self.user}: a line that is no key: {printable(self.line, 60)!r} ({self.file})", None)
        options = f" [{printable(self.options)}]" if self.options else ""
        key = f"{printable(self.key.type)} {self.fingerprint} {printable(self.comment)}"
        return f"{printable(self.user)}: {key}{options} ({printable(self.file)})"


@dataclass(frozen=True)
class KeyWords:
    """What the owner said: a word for all keys, and fingerprints for which the word is another."""

    every: Word = "keep"
    keep: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()


@dataclass(frozen=True)
class KeyPlan:
    """Each existing key in exactly one place; `ask` is what only the owner can decide."""

    keep: tuple[ExistingKey, ...] = ()
    drop: tuple[ExistingKey, ...] = ()
    ask: tuple[ExistingKey, ...] = ()


@dataclass(frozen=True)
class Person:
    """What the description needs to know of an account whose keys are kept."""

    name: str
    sudo: bool = False
    keys: list[ExistingKey] = field(default_factory=list)


def parse_line(user: str, file: str, line: str) -> ExistingKey | None:
    """One line (sshd(8), AUTHORIZED_KEYS FILE FORMAT); None for an empty line or a comment."""
    text = line.strip(" \t\r")
    if not text or text.startswith("#"):
        return None
    for options, rest in (("", text), split_options(text)):
        words = rest.split(None, 2)
        key = public_key(words[0], words[1]) if len(words) >= 2 else None
        if key:
            return ExistingKey(user, file, line, key, words[2].strip() if len(words) == 3 else "", options)
    return ExistingKey(user, file, line, None)


def split_options(text: str) -> tuple[str, str]:
    r"""The options before the key, and the rest: they end at the first blank outside "…"; \" does not end a quote."""
    quoted, previous = False, ""
    for at, character in enumerate(text):
        if character == '"' and previous != "\\":
            quoted = not quoted
        elif character in " \t" and not quoted:
            return text[:at], text[at:].strip(" \t")
        previous = character
    return text, ""


def check_words(words: KeyWords, in_use: frozenset[str]) -> None:
    """Raises AdoptError for words that contradict one another or would lock the controller out."""
    for fingerprint in sorted(words.keep | words.drop):
        if not FINGERPRINT.match(fingerprint):
            raise AdoptError(
                f"{fingerprint!r} is no key fingerprint.",
                usually="it was cut short, or is an MD5 one.",
                next_step="give it as `ssh-keygen -lf FILE` prints it: SHA256: and 43 characters.",
            )
    for fingerprint in sorted(words.keep & words.drop):
        raise AdoptError(
            f"{fingerprint} is to be kept and dropped.",
            next_step="name it in one of --keep-key and --drop-key.",
        )
    for fingerprint in sorted(words.drop & in_use):
        raise AdoptError(
            f"{fingerprint} is the key that the controller itself logs in with: it is never dropped.",
            usually="the fingerprint of another key was meant.",
            next_step="leave out that --drop-key; `spark adopt` lists every key with its fingerprint.",
        )


def decide_keys(
    existing: list[ExistingKey],
    words: KeyWords,
    in_use: frozenset[str],
    described: frozenset[tuple[str, str]] = frozenset(),
) -> KeyPlan:
    """Every key kept, dropped or to be asked about; raises AdoptError as `check_words` does.

    A single key's word goes before the word for all. Kept whatever the words are: a key in use (fingerprints in
    `in_use`), and a line that cannot be read, because nobody can say whose it is. The description is a word too:
    the word for all does not concern a key that it gives to this user (`described`: user, "type base64").
    """
    check_words(words, in_use)
    places: dict[Word, list[ExistingKey]] = {"keep": [], "drop": [], "ask": []}
    for entry in existing:
        word = words.every
        if entry.key is None or entry.fingerprint in in_use or entry.fingerprint in words.keep:
            word = "keep"
        elif entry.fingerprint in words.drop:
            word = "drop"
        elif (entry.user, str(entry.key)) in described:
            word = "keep"
        places[word].append(entry)
    return KeyPlan(tuple(places["keep"]), tuple(places["drop"]), tuple(places["ask"]))


def to_describe(people: list[Person]) -> str:
    """The YAML to put into the fleet description so that these keys outlive the first `pulumi up`; "" for nobody.

    The description carries a key's type, text and comment, not its options; root gets no keys there.
    """
    import yaml

    users: dict[str, dict[str, object]] = {}
    remarks = []
    for person in people:
        readable = [k for k in person.keys if k.key]
        if person.name == "root":
            remarks += [f"# root: {k.fingerprint}: give its owner an account of their own" for k in readable]
            continue
        lines = dict.fromkeys(printable(f"{k.key} {printable(k.comment)}".strip(), None) for k in readable)
        if lines:
            users[person.name] = {"authorized_keys": list(lines), **({"sudo": True} if person.sudo else {})}
        remarks += [
            f"# {printable(person.name)}: {k.fingerprint}: its options are not carried over: {printable(k.options)}"
            for k in readable
            if k.options
        ]
    text = yaml.safe_dump({"access": {"users": users}}, sort_keys=False, width=10_000) if users else ""
    return text + "".join(f"{remark}\n" for remark in remarks)

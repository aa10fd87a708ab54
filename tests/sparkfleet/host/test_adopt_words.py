"""The pure half of adoption: known_hosts text, authorized_keys lines and the owner's words."""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.access import Access
from sparkfleet.errors import AdoptError
from sparkfleet.host.authorized_keys import (
    ExistingKey,
    KeyWords,
    Person,
    decide_keys,
    parse_line,
    split_options,
    to_describe,
)
from sparkfleet.host.keyring import PublicKey, controller_key, ensure_key_pair, pin, pin_host, pinned, public_key
from sparkfleet.model import Controller
from sparkfleet.text import printable

if TYPE_CHECKING:
    from pathlib import Path


def made(body: bytes, kind: str = "ssh-ed25519") -> PublicKey:
    """A well-formed public key with this body."""
    raw = len(kind).to_bytes(4, "big") + kind.encode() + len(body).to_bytes(4, "big") + body
    return PublicKey(kind, base64.b64encode(raw).decode())


def entry(key: PublicKey | None, user: str = "nvidia", line: str = "") -> ExistingKey:
    """A line of that user's file."""
    return ExistingKey(user, f"/home/{user}/.ssh/authorized_keys", line or str(key), key)


keys = st.builds(made, st.binary(min_size=32, max_size=32), st.sampled_from(["ssh-ed25519", "ssh-rsa"]))
names = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
entries = st.builds(entry, st.one_of(st.none(), keys), names)
known_hosts = st.lists(
    st.one_of(
        st.builds(lambda name, key: f"{name} {key}", names, keys),
        st.builds(lambda some, key: f"{','.join(some)} {key} remark", st.lists(names, min_size=2, unique=True), keys),
        st.sampled_from(["", "# a remark", "|1|aGFzaA==|aGFzaA== ssh-ed25519 AAAA"]),
    )
).map(lambda lines: "".join(f"{line}\n" for line in lines))


class TestKnownHosts:
    """Pinning is a change of one name in a text."""

    @given(known_hosts, names, keys)
    def test_a_pinned_key_is_the_only_one_of_its_name(self, text: str, name: str, key: PublicKey) -> None:
        """After pinning, the name has exactly this key, and pinning again changes nothing."""
        once = pin(text, name, key)
        assert pinned(once, name) == [key]
        assert pin(once, name, key) == once

    @given(known_hosts, names, keys, names)
    def test_other_names_keep_theirs(self, text: str, name: str, key: PublicKey, other: str) -> None:
        """What the text says of any other name is the same before and after."""
        if other != name:
            assert pinned(pin(text, name, key), other) == pinned(text, other)

    def test_ssh_finds_what_was_pinned(self, tmp_path: Path) -> None:
        """OpenSSH's own tool finds the pinned key under the host's name."""
        key = made(bytes(32))
        (tmp_path / "known_hosts").write_text(pin("", "spark-01", key))
        command = ["ssh-keygen", "-F", "spark-01", "-f", str(tmp_path / "known_hosts")]
        assert key.blob in subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def test_the_file_is_private_and_grows_by_name(self, tmp_path: Path) -> None:
        """Two hosts are pinned one after the other; the file stays readable by its owner alone."""
        controller = Controller(folder=tmp_path / "k")
        first, second = made(bytes(32)), made(bytes([1] * 32))
        pin_host(controller, "spark-01", first)
        pin_host(controller, "spark-02", second)
        text = controller.known_hosts.read_text()
        assert (pinned(text, "spark-01"), pinned(text, "spark-02")) == ([first], [second])
        assert controller.known_hosts.stat().st_mode & 0o777 == 0o600


class TestKeyPair:
    """The controller's own key."""

    def test_it_is_made_once_and_ssh_can_use_it(self, tmp_path: Path) -> None:
        """The pair is made at the first call alone, private to its owner, and ssh-keygen derives its public half."""
        controller = Controller(folder=tmp_path / "k")
        assert controller_key(controller) is None
        key, was_made = ensure_key_pair(controller, "lab")
        assert ensure_key_pair(controller, "lab") == (key, False)
        assert was_made
        assert controller.private_key.stat().st_mode & 0o777 == 0o600
        said = subprocess.run(
            ["ssh-keygen", "-y", "-f", str(controller.private_key)], check=True, capture_output=True, text=True
        )
        assert said.stdout.split()[:2] == [key.type, key.blob]
        assert controller.private_key.with_suffix(".pub").read_text() == f"{key} sparkfleet@lab\n"

    def test_a_lost_public_half_is_derived_again(self, tmp_path: Path) -> None:
        """Killed between the two files, the next run writes the second one to the first."""
        controller = Controller(folder=tmp_path / "k")
        key, _ = ensure_key_pair(controller, "lab")
        controller.private_key.with_suffix(".pub").unlink()
        assert ensure_key_pair(controller, "lab") == (key, False)
        assert controller.private_key.with_suffix(".pub").exists()

    def test_an_unusable_key_is_named(self, tmp_path: Path) -> None:
        """A broken private key file is an error with its path; it is not overwritten."""
        controller = Controller(folder=tmp_path / "k")
        ensure_key_pair(controller, "lab")
        controller.private_key.write_text("not a key")
        with pytest.raises(AdoptError, match="keys/automation cannot be used"):
            ensure_key_pair(controller, "lab")
        assert controller.private_key.read_text() == "not a key"


class TestLines:
    """authorized_keys as sshd reads it."""

    @given(keys, st.text(st.characters(min_codepoint=33, max_codepoint=126)))
    def test_a_plain_line_gives_its_key(self, key: PublicKey, comment: str) -> None:
        """Type, base64 and comment come back from the line they make."""
        found = parse_line("a", "f", f"{key} {comment}")
        assert found is not None
        assert (found.key, found.comment, found.options) == (key, comment, "")

    @pytest.mark.parametrize(
        "options",
        ["no-pty", 'command="echo hello world",no-pty', r'command="say \"ssh-rsa AAAA\" twice"', 'from="10.0.0.0/8"'],
    )
    def test_options_are_kept_apart(self, options: str) -> None:
        """Blanks and escaped quotes inside an option do not end it."""
        key = made(bytes(32))
        found = parse_line("a", "f", f"{options} {key} me@there and more")
        assert found is not None
        assert (found.key, found.options, found.comment) == (key, options, "me@there and more")

    @given(st.text())
    def test_no_line_breaks_the_parser(self, text: str) -> None:
        """Any text is a key, a line that is none, or nothing; the text itself is never altered."""
        found = parse_line("a", "f", text)
        assert found is None or found.line == text
        options, rest = split_options(text)
        assert options in text
        assert rest in text

    @pytest.mark.parametrize("line", ["", "   ", "# ssh-ed25519 AAAA", "\t# x"])
    def test_remarks_are_no_keys(self, line: str) -> None:
        """Empty lines and remarks are not listed."""
        assert parse_line("a", "f", line) is None

    @pytest.mark.parametrize("line", ["ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa not*base64", "hello world"])
    def test_what_cannot_be_read_is_shown(self, line: str) -> None:
        """A line that holds no whole key is listed without a fingerprint."""
        found = parse_line("a", "f", line)
        assert found is not None
        assert found.key is None
        assert line in str(found)

    def test_a_type_that_lies_is_no_key(self) -> None:
        """The type in front must be the type inside."""
        assert public_key("ssh-rsa", made(bytes(32)).blob) is None

    def test_the_fingerprint_is_openssh_s(self, tmp_path: Path) -> None:
        """ssh-keygen prints the same fingerprint for the same key."""
        assert shutil.which("ssh-keygen")
        controller = Controller(folder=tmp_path / "k")
        key, _ = ensure_key_pair(controller, "lab")
        public = controller.private_key.with_suffix(".pub")
        said = subprocess.run(["ssh-keygen", "-lf", str(public)], check=True, capture_output=True, text=True)
        assert said.stdout.split()[1] == key.fingerprint

    def test_a_comment_cannot_steer_the_terminal(self) -> None:
        """Escape sequences in the host's text are shown as question marks."""
        assert printable("\x1b[2Jme\n") == "?[2Jme?"


class TestDecisions:
    """What the owner's words do with each key."""

    @given(st.lists(entries), st.sampled_from(["keep", "drop", "ask"]), st.data())
    def test_every_key_has_one_place_and_ours_is_kept(
        self, existing: list[ExistingKey], every: str, data: st.DataObject
    ) -> None:
        """Whatever is said, each entry is in one list; what we use or cannot read is kept; single words win."""
        prints = sorted({e.fingerprint for e in existing if e.key})
        some = st.sets(st.sampled_from(prints)) if prints else st.just(set[str]())
        keep, drop, used = data.draw(some), data.draw(some), data.draw(some)
        words = KeyWords(every, frozenset(keep - drop), frozenset(drop - used))
        plan = decide_keys(existing, words, frozenset(used))
        assert sorted(map(id, existing)) == sorted(id(e) for e in (*plan.keep, *plan.drop, *plan.ask))
        assert all(e.key and e.fingerprint not in used | words.keep for e in (*plan.drop, *plan.ask))
        assert all(e.fingerprint in words.drop or every == "drop" for e in plan.drop)
        assert all(e in plan.drop for e in existing if e.fingerprint in words.drop)

    def test_the_key_in_use_cannot_be_named_for_dropping(self) -> None:
        """Naming the controller's own key is an error that quotes it."""
        key = made(bytes(32))
        words = KeyWords("keep", drop=frozenset({key.fingerprint}))
        with pytest.raises(AdoptError, match="never dropped") as caught:
            decide_keys([entry(key)], words, frozenset({key.fingerprint}))
        assert key.fingerprint in str(caught.value)

    def test_a_described_key_of_its_user_is_kept(self) -> None:
        """Dropping all concerns no key that the description gives to that user; a single word still does."""
        key = made(bytes(32))
        mine = entry(key)
        described = frozenset({(mine.user, str(key))})
        assert decide_keys([mine], KeyWords("drop"), frozenset(), described).keep == (mine,)
        assert decide_keys([mine], KeyWords("ask"), frozenset(), described).ask == ()
        named = KeyWords("keep", drop=frozenset({key.fingerprint}))
        assert decide_keys([mine], named, frozenset(), described).drop == (mine,)
        others = frozenset({("somebody-else", str(key))})
        assert decide_keys([mine], KeyWords("drop"), frozenset(), others).drop == (mine,)

    def test_contradicting_words_are_refused(self) -> None:
        """One key cannot be kept and dropped."""
        one = frozenset({made(bytes(32)).fingerprint})
        with pytest.raises(AdoptError, match="kept and dropped"):
            decide_keys([], KeyWords("keep", one, one), frozenset())

    def test_half_a_fingerprint_is_refused(self) -> None:
        """A cut fingerprint would drop nothing in silence."""
        with pytest.raises(AdoptError, match="no key fingerprint"):
            decide_keys([], KeyWords("keep", drop=frozenset({"SHA256:abc"})), frozenset())


class TestDescription:
    """The snippet for the fleet description."""

    def test_it_is_valid_for_the_model(self) -> None:
        """What is printed loads as the section `access` and names every kept key of a person once."""
        key = made(bytes(32))
        twice = [entry(key), ExistingKey("nvidia", "/etc/ssh/authorized_keys/nvidia", str(key), key, "me@there")]
        text = to_describe([Person("nvidia", sudo=True, keys=[twice[1], twice[1]])])
        access = Access.model_validate(yaml.safe_load(text)["access"])
        assert access.users["nvidia"].authorized_keys == [f"{key} me@there"]
        assert access.users["nvidia"].sudo

    def test_what_it_cannot_carry_is_said(self) -> None:
        """Options and root's keys stand there as remarks."""
        key = made(bytes(32))
        limited = ExistingKey("ann", "f", "", key, "", 'from="10.0.0.1"')
        text = to_describe([Person("ann", keys=[limited]), Person("root", keys=[entry(key, "root")])])
        assert 'from="10.0.0.1"' in text
        assert "# root: " in text
        assert "root" not in yaml.safe_load(text)["access"]["users"]

    def test_nobody_needs_nothing(self) -> None:
        """Without kept keys there is nothing to add."""
        assert to_describe([]) == ""

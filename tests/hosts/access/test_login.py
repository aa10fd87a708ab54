"""Who can get in: asked at the door, and read from what opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from reading import bare_key

if TYPE_CHECKING:
    from machine import Machine


@pytest.mark.control(id="ACCESS-11", severity="high", source="sparkfleet")
def test_the_door_asks_for_a_key_alone(machine: Machine) -> None:
    """Whoever comes to the door is asked for a public key, and for nothing else.

    The controller comes as root and as the automation user, shows nothing, and reads what it is offered.
    """
    other = [f"{user} gets {offer}" for user, offer in machine.login_offers.items() if offer != "publickey"]
    assert not other, "; ".join(other)


@pytest.mark.control(id="ACCESS-12", severity="high", source="sparkfleet")
def test_authorized_keys_are_the_described_ones(machine: Machine) -> None:
    """The keys that open this host are exactly the described ones.

    Every line below /etc/ssh/authorized_keys, options included, against the description.
    """
    wanted = {user: {bare_key(key) for key in person["keys"]} for user, person in machine.wanted["users"].items()}
    wrong = []
    for user in sorted({*wanted, *machine.key_files}):
        found = machine.key_files[user].keys if user in machine.key_files else frozenset()
        wrong += [f"{user}: {short(key)} is not described" for key in sorted(found - wanted.get(user, set()))]
        wrong += [f"{user}: {short(key)} is missing" for key in sorted(wanted.get(user, set()) - found)]
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="ACCESS-13", severity="high", source="sparkfleet")
def test_only_root_writes_authorized_keys(machine: Machine) -> None:
    """Nobody but root can write the files that say which keys open what.

    Owner and mode of the folder and of each file in it.
    """
    folder = machine.files["/etc/ssh/authorized_keys"]
    loose = [] if folder.owner == "root" and not folder.mode & 0o022 else [f"the folder: {folder}"]
    loose += [
        f"{n}: {f.owner} {f.mode:04o}" for n, f in machine.key_files.items() if f.owner != "root" or f.mode & 0o022
    ]
    assert not loose, "; ".join(loose)


@pytest.mark.control(id="ACCESS-29", severity="high", source="sparkfleet")
def test_the_old_key_is_refused(machine: Machine) -> None:
    """The automation key before the last rotation opens nothing any more.

    While the controller still has the old key it shows it, and nothing else, and must be refused.
    """
    if not machine.old_key:
        pytest.skip("the controller keeps no old key: none was rotated, or the rotation was finished and proven")
    met = machine.door.with_key(machine.wanted["automation_user"], machine.old_key)
    assert met == "publickey", f"the old key gets {met}; `spark rotate ssh` goes on where it stopped"


def short(key: str) -> str:
    """Enough of a key to find it: what stands before it, its type and its end."""
    *before, text = key.split(" ")
    return " ".join([*before, f"…{text[-12:]}"])

"""What a host answers → only what was asked for, in its form; everything else is one printable error."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.host.adopt_door import FORMS, Door, StepError, read
from sparkfleet.host.authorized_keys import Person, parse_line, to_describe
from sparkfleet.host.connection import Result
from sparkfleet.host.observe import FACTS, PROBE, ask, checked
from tests.sparkfleet.hostile import POISON, fails

ASKED = {"file:/etc/x": "0123 0644 root:root", "listing:/etc/y": "a b", "unit:z.service": "enabled"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIV23Q2hhN+kpuz4qxdlTunr5he+SFuQpNmArKwO/Y61"


@dataclass
class Says:
    """A session to a host that answers everything with one text."""

    stdout: str
    code: int = 0
    stderr: str = ""
    name: str = "spark-01"
    address: str = "192.0.2.1"

    @property
    def target(self) -> Any:
        """Whose session it is."""
        return self

    def run(self, _command: str, **_: object) -> Result:
        """What it says."""
        return Result(self.code, self.stdout, self.stderr)


def answer(settings: object, facts: object = None) -> Any:
    """A session whose probe finds this."""
    return Says(json.dumps({"settings": settings, "facts": {} if facts is None else facts}))


def test_what_was_shipped_once_is_told_though_nobody_asked() -> None:
    """The marker's files, links, units, secrets and people: that is how they are taken away."""
    shipped = {
        "file:/etc/systemd/system/ssh@.service.d/50-sparkfleet.conf": "0 0644 root:root",
        "link:/etc/localtime": "/usr/share/zoneinfo/UTC",
        r"unit:dev-disk-by\x2duuid.mount": "enabled",
        "secret:/etc/sparkfleet/s3.json": "unknown",
        "user:bob": "no sudo",
    }

    assert ask(answer(ASKED | shipped), ASKED).settings == ASKED | shipped


@pytest.mark.parametrize(
    "key",
    [
        "file:../../etc/passwd",
        "file:/etc/../../root/.ssh/id",
        "file:/etc/./x",
        "file:etc/passwd",
        "file:",
        "/etc/passwd",
        "",
        "file:/etc/x\0",
        "file:/etc/x\n/etc/y",
        "file:/etc/x y",
        "file:/etc/{{ lookup('pipe', 'id') }}",
        "file:/etc/{%x%}",
        "link:/etc/$(id)",
        "secret:/etc/`id`",
        "unit:--force",
        "unit:x.service\nunit",
        "user:-r",
        "user:root;id",
        "package:vim",
        "sysctl:kernel.x",
        "role:base",
        "file:/" + "x" * 5000,
        POISON,
        "file:/etc/" + POISON,
    ],
)
def test_a_key_that_nobody_asked_for_refuses_the_answer(key: str) -> None:
    """Paths that climb, templates, options, other kinds: nothing of such an answer is used."""
    told = fails(lambda: ask(answer({**ASKED, key: "x"}), ASKED))

    assert "spark-01 gave an answer that the probe does not give: nobody asked for" in told
    assert "nothing was done with it" in told


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"settings": {}}',
        '{"settings": [], "facts": {}}',
        '{"settings": {}, "facts": {}, "more": 1}',
        '{"settings": {"file:/etc/x": 1}, "facts": {}}',
        '{"settings": {"file:/etc/x": null}, "facts": {}}',
        '{"settings": {"file:/etc/x": ["a"]}, "facts": {}}',
        '{"settings": {}, "facts": {"kernel": {}}}',
        '{"settings": {}, "facts": {"password": "x"}}',
        '{"settings": {}, "facts": {"\\u001b[2J": "x"}}',
        '{"settings": {}, "settings": {"file:/etc/x": "a"}, "facts": {}}',
        '{"settings":' * 20_000,
        '{"settings": {}, "facts": {}} and more',
        POISON,
    ],
)
def test_an_answer_of_another_form_is_refused(text: str) -> None:
    """Wrong types, missing and additional parts, names that stand twice, depth, words around it."""
    session: Any = Says(text)

    assert "spark-01 gave an answer that the probe does not give" in fails(lambda: ask(session, ASKED))


def test_too_many_settings_are_refused() -> None:
    """A plan of a million lines helps nobody."""
    assert "names 5003 settings where 3 were asked for" in fails(
        lambda: ask(answer({**ASKED, **{f"file:/x/{n}": "x" for n in range(5000)}}), ASKED)
    )


def test_values_are_fit_for_state_and_terminal() -> None:
    """They stand in Pulumi's state, in `spark plan` and in JSON: one bounded line each, the described one as it is."""
    found = ask(answer(dict.fromkeys(ASKED, POISON * 99), {"os": POISON, "kernel": "6.8"}), ASKED)

    for value in [*found.settings.values(), *found.facts.values()]:
        assert value.isprintable()
        assert len(value) <= 4000
    assert found.facts["kernel"] == "6.8"
    assert ask(answer(ASKED), ASKED).settings == ASKED


def test_the_last_words_of_a_probe_are_fit_to_be_shown() -> None:
    """Also when it fails."""
    session: Any = Says("", 1, f"line\n{POISON}")

    assert "the probe failed: " in fails(lambda: ask(session, ASKED))


@given(JSON, st.dictionaries(st.text(), st.text()))
def test_whatever_is_answered_is_refused_or_harmless(told: object, asked: dict[str, str]) -> None:
    """For any JSON and any question."""
    try:
        settings, facts = checked({"settings": told, "facts": {}} if isinstance(told, dict) else told, asked)
    except ValueError as refused:
        words = str(refused)
    else:
        words = "".join(value for key, value in settings.items() if value != asked.get(key))
        assert facts == {}
    assert words.isprintable()


def test_every_fact_of_the_probe_is_known() -> None:
    """A fact that the probe reports and nobody expects would refuse every answer."""
    parts = [f for f in ast.parse(PROBE.read_text()).body if isinstance(f, ast.FunctionDef) and "facts" in f.name]
    dicts = [node for part in parts for node in ast.walk(part) if isinstance(node, ast.Dict)]
    names = {key.value for node in dicts for key in node.keys if isinstance(key, ast.Constant)}

    assert names == FACTS


@given(st.sampled_from(sorted(FORMS)), JSON | st.dictionaries(st.sampled_from(["changed", "files", "error"]), JSON))
def test_the_adoption_script_s_answers_have_their_form(step: str, told: object) -> None:
    """For any JSON: what a step needs, or a refusal."""
    try:
        found = read(step, told)
    except StepError:
        return
    assert found.keys() == FORMS[step].keys()


@pytest.mark.parametrize(
    "told",
    [
        {"files": {"/x": {"user": "a", "lines": [1]}}},
        {"files": {"/x": "lines"}},
        {"files": {"/x": {"user": None, "lines": []}}},
        {"files": []},
        {"sudoers": "root"},
        {"machine_id": 7},
        {"record": []},
        {"record": {"kept_keys": "SHA256:x"}},
        {"notes": {"a": "b"}},
    ],
)
def test_a_survey_of_another_form_is_told_in_words(told: dict[str, object]) -> None:
    """No traceback: the step, the host, what to do."""
    whole = {"files": {}, "notes": [], "sudoers": [], "machine_id": "", "record": {}}
    session: Any = Says(json.dumps(whole | told))

    assert "spark-01 could not do the step 'survey'" in fails(lambda: Door(session).call({"do": "survey"}))


@pytest.mark.parametrize("said", [json.dumps({"error": POISON}), json.dumps({"error": {"a": [POISON]}}), POISON])
def test_a_step_that_fails_is_told_in_printable_words(said: str) -> None:
    """Whatever the script, or what stands in its place, says."""
    session: Any = Says(said, stderr=POISON)

    assert "could not do the step 'install'" in fails(lambda: Door(session).call({"do": "install"}))


def test_what_the_owner_is_to_paste_holds_nothing_of_the_host_s() -> None:
    """A user's name, a key's comment or options with line breaks would become lines of the description."""
    name = "eve\n  mallory:\n    sudo: true"
    key = parse_line(name, f"/home/{POISON}", f'command="{POISON[:40]}" {KEY} c\x1b[2J\x85sudo: true')
    assert key
    text = to_describe([Person(name, keys=[key]), Person("root", keys=[key])])

    assert text.replace("\n", "").isprintable()
    assert str(key).isprintable()
    assert [*yaml.safe_load(text)["access"]["users"]] == [name]  # one user, however it is called
    assert all(line.startswith(("access:", " ", "#", "?", "    ")) for line in text.splitlines())

"""labels.xml → what it calls things, or every reason why it cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from workloads.errors import ConfigError
from workloads.label.params import Params
from workloads.label.reviewing import labelling

FILE = Path("labels.xml")
LABELS = ["PARTY", "DATE"]
CONTROL = '<Labels name="label" toName="text"><Label value="PARTY"/><Label value="DATE"/></Labels>'
TEXT = '<Text name="text" value="$text"/>'


def test_the_names_are_those_of_the_file() -> None:
    """A prediction carries the names of its control and of its text, whatever their owner called them."""
    control = CONTROL.replace('name="label" toName="text"', 'name="was" toName="wo"')

    found = labelling.parse(
        f"<View>{control}{TEXT.replace('text', 'wo', 1)}</View>".replace("$wo", "$text"), LABELS, FILE
    )

    assert (found.control, found.shown) == ("was", "wo")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (TEXT, "", "expected one <Text"),
        (TEXT, TEXT + TEXT, "found 2"),
        (CONTROL, "", "expected one <Labels"),
        ('toName="text"', 'toName="page"', "marks page"),
        ('<Label value="DATE"/>', "", "does not have: DATE"),
        ("DATE", "PLACE", "project.toml does not have: PLACE"),
        ("<Text", "<HyperText", "<HyperText> would let"),
        ('value="$text"', 'value="$text" valueType="url"', "never an address"),
        ("</View>", "", "must be XML"),
    ],
)
def test_a_config_that_cannot_work_is_refused(old: str, new: str, said: str) -> None:
    """Label Studio takes such a config, and then shows nothing, fetches addresses or runs a document's text."""
    with pytest.raises(ConfigError, match=said):
        labelling.parse(f"<View>{CONTROL}{TEXT}</View>".replace(old, new), LABELS, FILE)


def test_all_faults_are_told_at_once() -> None:
    """Nobody mends a file fault by fault."""
    with pytest.raises(ConfigError) as refused:
        labelling.parse("<View><HyperText name='h' value='$text'/><Labels name='l' toName='x'/></View>", LABELS, FILE)

    assert [word in str(refused.value) for word in ("HyperText", "<Text", "PARTY")] == [True, True, True]


def test_entities_that_grow_are_stopped() -> None:
    """A config that would unfold to gigabytes is an error, not a machine without memory."""
    layers = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "laugh">{layers}]><View>&e11;</View>'

    with pytest.raises(ConfigError, match=r"amplification|limit"):
        labelling.parse(bomb, LABELS, FILE)


def test_the_file_is_found_beside_the_project(tmp_path: Path) -> None:
    """publish.config is relative to project.toml; one that is missing is named."""
    params = Params.model_validate({"name": "p", "labels": LABELS, "source": {"folder": "d"}, "folder": tmp_path})

    with pytest.raises(ConfigError, match=r"labels\.xml"):
        labelling.load(params)
    (tmp_path / "labels.xml").write_text(f"<View>{CONTROL}{TEXT}</View>\n")

    assert labelling.load(params).xml == f"<View>{CONTROL}{TEXT}</View>"

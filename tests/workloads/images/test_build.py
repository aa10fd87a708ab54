"""What images are made of, and the words with which an engine makes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import ConfigError
from workloads.images import build
from workloads.images.build import RECIPES, Wanted

CHECKOUT = Path(__file__).resolve().parents[3]
BASE = f"registry.example/python@sha256:{'a' * 64}"
ALL = Wanted(BASE, BASE, Path("/programs"))


def test_a_base_that_is_only_tagged_is_refused() -> None:
    """Whoever publishes a tag may move it."""
    with pytest.raises(ConfigError, match="not pinned by digest"):
        build.chosen((), Wanted("registry.example/python:3.12"))


def test_without_a_base_for_it_an_image_is_left_out_or_refused_when_it_was_named() -> None:
    """`serve` wants a base with tritonserver, `store` a program; nobody else does."""
    assert build.chosen((), Wanted(BASE)) == ["tools", "convert", "train", "label"]
    assert build.chosen((), ALL) == list(RECIPES)
    with pytest.raises(ConfigError, match="serve needs --serve-base; store needs --program"):
        build.chosen(("serve", "store"), Wanted(BASE))
    with pytest.raises(ConfigError, match="no such image"):
        build.chosen(("other",), ALL)


def test_an_image_is_made_after_the_one_that_inspects_it() -> None:
    """`tools` is made whatever is asked for."""
    assert build.chosen(("train",), ALL) == ["tools", "train"]


def test_the_context_holds_code_locks_and_recipes_and_nothing_of_the_checkout_besides() -> None:
    """No state, no settings, no history, nothing hidden."""
    files = build.context(CHECKOUT, "lock")

    assert {name.partition("/")[0] for name in files if "/" in name} == {"lib", "locks"}
    assert {name for name in files if "/" not in name} == {
        "install.sh", *(f"{recipe.file}.Containerfile" for recipe in RECIPES.values()),
    }  # fmt: skip
    assert not [name for name in files if not name.startswith(("lib/workloads/", "locks/")) and "/" in name]
    assert not [name for name in files if "/." in name or "__pycache__" in name]


def test_an_installed_program_says_that_it_needs_a_checkout(tmp_path: Path) -> None:
    """A host's zipapp has no locks."""
    with pytest.raises(ConfigError, match="no checkout"):
        build.context(tmp_path, "lock")


def test_a_change_of_the_lock_changes_the_words_and_one_of_the_code_does_not() -> None:
    """An engine may not see a change in what is mounted; and 5 GB are not installed again for a line of code."""
    files = build.context(CHECKOUT, "lock")
    other = files | {"locks/label.txt": b"torch==1\n"}
    code = files | {"lib/workloads/new.py": b""}
    recipe = RECIPES["train"]

    assert build.inputs(recipe, files) != build.inputs(recipe, other)
    assert build.inputs(recipe, files) == build.inputs(recipe, code)
    assert len({build.tag("train", each, BASE) for each in (files, other, code)}) == 3


def test_secrets_of_a_build_are_mounted_and_no_argument() -> None:
    """Arguments stand in an image's history."""
    wanted = Wanted(BASE, pip_config=Path("/me/pip.conf"), options=("--network=host",))
    files = build.context(CHECKOUT, "lock")
    words = build.words("podman", "train", wanted, files, folder=Path("/context"), id_file=Path("/id"))

    assert words[:2] == ["podman", "build"]
    assert words[words.index("--secret") + 1] == "id=pip,src=/me/pip.conf"
    assert "--network=host" in words
    arguments = [words[at + 1].partition("=")[0] for at, word in enumerate(words) if word == "--build-arg"]
    assert arguments == ["BASE", "INPUTS", "TORCH"]


@pytest.mark.parametrize("file", sorted((CHECKOUT / "workloads/images").glob("*.Containerfile")), ids=lambda f: f.stem)
def test_every_image_ends_as_a_user_without_rights_with_a_health_check(file: Path) -> None:
    """Its base is an argument; the last word on the user is a number that is not root's."""
    text = file.read_text()

    assert re.findall(r"^ARG BASE\nFROM \$\{BASE\} AS", text, re.MULTILINE)
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] == "64000:64000"
    assert len(re.findall(r"^HEALTHCHECK", text, re.MULTILINE)) == text.count("\nFROM ") - (file.stem == "stages")
    assert "install.sh" in text  # which takes setuid bits away


PACKAGE = st.sampled_from(["torch==2.13.0", "nvidia-nccl-cu13==2", "cuda-toolkit==13", "triton==3.7",
                           "tritonclient==2.73", "torchmetrics==1", "numpy==2 ; python_version > '3'"])  # fmt: skip


@given(st.lists(PACKAGE, unique=True))
def test_a_base_with_torch_gets_the_lock_without_torch_and_what_came_with_it(packages: list[str]) -> None:
    """Packages go with all of their hashes, the others keep theirs."""
    lock = "".join(f"{each} \\\n    --hash=sha256:{n:064x} \\\n    --hash=sha256:{n + 50:064x}\n    # via x\n"
                   for n, each in enumerate(packages))  # fmt: skip
    kept = [each for each in packages if each.startswith(("tritonclient", "torchmetrics", "numpy"))]
    lines = build.without_torch(lock).splitlines()

    assert [line.removesuffix(" \\") for line in lines if line and not line.startswith(" ")] == kept
    hashes = [f"--hash=sha256:{packages.index(each) + more:064x}" for each in kept for more in (0, 50)]
    assert [line.strip().removesuffix(" \\") for line in lines if line.startswith(" ")] == hashes

"""What this machine's pip says of itself → the pip.conf of a stand-in."""

from __future__ import annotations

import configparser

from lab.spark import pip


def parsed(text: str) -> dict[str, str]:
    """The settings of a pip.conf."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return dict(parser["global"])


def test_an_index_is_carried_and_what_is_of_this_machine_is_not() -> None:
    """A cache folder of this machine means nothing there, and a bundle is the stand-in's own."""
    listed = (
        "global.cert='/home/me/bundle.pem'\nglobal.index-url='https://index.example/simple'\n"
        "global.cache-dir='/home/me/cache'\nglobal.extra-index-url='https://a.example\\nhttps://b.example'\n"
    )

    assert parsed(pip.settings(listed, {})) == {
        "cert": pip.BUNDLE,
        "index-url": "https://index.example/simple",
        "extra-index-url": "https://a.example https://b.example",
    }


def test_a_variable_counts_more_than_a_section() -> None:
    """As in pip, in whatever order they are listed."""
    listed = ":env:.index-url='https://mine.example'\nglobal.index-url='https://ours.example'\n"

    assert parsed(pip.settings(listed, {}))["index-url"] == "https://mine.example"


def test_a_proxy_of_the_shell_is_carried() -> None:
    """A stand-in has no shell of ours; pip's own setting counts more."""
    shell = {"https_proxy": "http://proxy.example:3128"}

    assert parsed(pip.settings("", shell)) == {"proxy": "http://proxy.example:3128"}
    assert parsed(pip.settings("global.proxy='http://other.example'\n", shell))["proxy"] == "http://other.example"


def test_a_pip_without_settings_leaves_its_defaults() -> None:
    """No index of anybody's stands in a file of ours."""
    assert parsed(pip.settings("", {})) == {}

"""An expression of a scenario and the scenario's age → the text that a file has at that moment. Pure.

    ramp A B SECONDS           a number that goes from A to B in so long, then stays
    VALUE per_second RATE      a number that grows by RATE each second
    steps SECONDS A B C …      one word after the other, each for so long; the last one stays
      … after SECONDS          after any: time starts then; until then it is the first value

A number has the decimals that its first value is written with. Within a longer text an expression stands in braces:
`MemAvailable: {ramp 60000000 3000000 60} kB`.
"""

from __future__ import annotations

import re

NUMBER = r"-?\d+(?:\.\d+)?"
EXPRESSION = re.compile(
    rf"(?:ramp (?P<start>{NUMBER}) (?P<end>{NUMBER}) (?P<seconds>{NUMBER})"
    rf"|(?P<value>{NUMBER}) per_second (?P<rate>{NUMBER})"
    rf"|steps (?P<each>{NUMBER})(?P<words>(?: (?!after )\S+)+))"
    rf"(?: after (?P<after>{NUMBER}))?"
)
BRACED = re.compile(rf"\{{({EXPRESSION.pattern})\}}")


def is_moving(text: str) -> bool:
    """Whether the text is another one later."""
    return bool(EXPRESSION.fullmatch(text) or BRACED.search(text))


def text_at(text: str, age_s: float) -> str:
    """The text `age_s` seconds after the scenario's start; one without expressions is itself."""
    whole = EXPRESSION.fullmatch(text)
    return evaluated(whole, age_s) if whole else BRACED.sub(lambda found: evaluated(found, age_s), text)


def evaluated(found: re.Match[str], age_s: float) -> str:
    """One expression at that age."""
    age_s = max(0.0, age_s - float(found["after"] or 0))
    if found["words"]:
        words = found["words"].split()
        return words[min(int(age_s / float(found["each"])), len(words) - 1)]
    if found["value"]:
        return written(float(found["value"]) + float(found["rate"]) * age_s, like=found["value"])
    start, end, seconds = (float(found[name]) for name in ("start", "end", "seconds"))
    done = min(age_s / seconds, 1.0) if seconds > 0 else 1.0
    return written(start + (end - start) * done, like=found["start"])


def written(number: float, like: str) -> str:
    """The number with as many decimals as `like` has."""
    return f"{number:.{len(like.partition('.')[2])}f}"

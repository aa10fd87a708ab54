"""PromQL text → what it asks for: its selectors, its constants, and the unit that its metrics' names give its answer.

Independent of the dashboards' own code: units come from names (base units, unit last) and what PromQL does to them.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

import promql_parser as p

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED = {
    "bytes_per_second": "bytes/s", "timestamp_seconds": "time", "bytes": "bytes", "celsius": "celsius",
    "watts": "watts", "hertz": "hertz", "seconds": "seconds", "joules": "joules", "ratio": "ratio",
}  # fmt: skip
PER_SECOND = {"seconds": "ratio", "bytes": "bytes/s", "joules": "watts", "count": "count"}
FOREIGN = {"nv_gpu_utilization": "ratio"}  # Triton's: its names end in no unit
NUMBER = "any"
GRAFANA = {
    "bytes": "bytes", "bytes/s": "Bps", "celsius": "celsius", "watts": "watt", "hertz": "hertz", "seconds": "s",
    "ratio": "percentunit", "count": "none", "joules": "joule", "watt-hours": "watth", "time": "dateTimeAsIso",
}  # fmt: skip
ARITHMETIC = {"*": operator.mul, "^": operator.pow, "+": operator.add, "-": operator.sub}
SAME_AS_ARGUMENT = re.compile(r"(\w+_over_time|increase|delta|idelta|predict_linear|abs|ceil|floor|round|clamp\w*)$")


class UnitsError(ValueError):
    """An expression that adds or compares what has different units."""


def selectors(expression: str) -> Iterator[p.VectorSelector]:
    """Every vector selector of the expression, those of range selectors too."""
    found: list[p.VectorSelector] = []

    def look(node: Any) -> bool:
        if isinstance(node, p.VectorSelector):
            found.append(node)
        elif isinstance(node, p.MatrixSelector):
            found.append(node.vector_selector)
        return True

    p.walk(p.parse(expression), look)
    yield from {str(selector): selector for selector in found}.values()


def constants(expression: str) -> set[float]:
    """The numbers in the expression, with what is computed from numbers alone: 8 * 2^30 counts as one."""
    found: set[float] = set()

    def look(node: Any) -> bool:
        value = _folded(node)
        if value is not None:
            found.add(value)
        return True

    p.walk(p.parse(expression), look)
    return found


def unit(expression: str) -> str:
    """The unit of the answer: a key of GRAFANA, "time", or "any" for a bare number. UnitsError when it has none."""
    return _unit(p.parse(expression))


def _folded(node: Any) -> float | None:
    if isinstance(node, p.NumberLiteral):
        return float(node.val)
    if isinstance(node, p.ParenExpr):
        return _folded(node.expr)
    if isinstance(node, p.BinaryExpr):
        left, right = _folded(node.lhs), _folded(node.rhs)
        if left is not None and right is not None:
            computed = ARITHMETIC.get(str(node.op))
            return computed(left, right) if computed else None
    return None


def _of_name(name: str) -> str:
    _, middle, _ = name.split(":") if ":" in name else ("", name, "")  # a recording rule's: level:metric:operation
    bare = middle.removesuffix("_total")
    return FOREIGN.get(name) or next((found for suffix, found in NAMED.items() if bare.endswith(f"_{suffix}")), "count")


def _unit(node: Any) -> str:  # noqa: PLR0911  (one answer a kind of node)
    if isinstance(node, p.NumberLiteral):
        return NUMBER
    if isinstance(node, p.VectorSelector):
        return _of_name(node.name)
    if isinstance(node, p.MatrixSelector):
        return _of_name(node.vector_selector.name)
    if isinstance(node, p.ParenExpr | p.UnaryExpr | p.SubqueryExpr):
        return _unit(node.expr)
    if isinstance(node, p.AggregateExpr):
        return "count" if str(node.op) in {"count", "group"} else _unit(node.expr)
    if isinstance(node, p.Call):
        return _of_call(node)
    return _of_two(str(node.op), node)


def _of_call(node: p.Call) -> str:
    name = node.func.name
    if name in {"time", "timestamp"}:
        return "time"
    if name in {"rate", "irate", "deriv"}:
        return PER_SECOND[_unit(node.args[0])]
    if name in {"count_over_time", "changes", "resets", "vector", "absent", "present_over_time"}:
        return "count"
    assert SAME_AS_ARGUMENT.match(name), f"what does {name}() do to a unit?"
    return _unit(next(arg for arg in node.args if not isinstance(arg, p.NumberLiteral)))


def _of_two(op: str, node: p.BinaryExpr) -> str:  # noqa: PLR0911  (the same)
    left, right = _unit(node.lhs), _unit(node.rhs)
    if op in {"and", "unless"}:
        return left
    if op == "/":
        if left == right:
            return "ratio"
        if (left, _folded(node.rhs)) == ("joules", 3600):
            return "watt-hours"
        if (_folded(node.lhs), right) == (3600, "seconds"):
            return "count"  # so many an hour
    if op in {"*", "/"} and NUMBER in {left, right}:
        return left if right == NUMBER else right
    if op == "*" and "count" in {left, right}:
        return left if right == "count" else right
    if op == "-" and left == right == "time":
        return "seconds"
    if NUMBER in {left, right} or left == right:
        return left if right == NUMBER else right
    raise UnitsError(f"{left} {op} {right} in {node}")

"""Read the definitions of DIY Tables 1 and 4-8: CMS's own pseudo-code, one `if … then …` per row.

if RXC_09 = 1 and (HHS_HCC056 = 1 or HHS_HCC057 = 1) then RXC_09_X_… = 1;
if HHS_HCC019 = 1 then do; HHS_HCC019 = 0; G01 = 1; end;
HCC_CNT = SUM(HHS_HCC*, G*) - HHS_HCC022
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from riskflow.errors import RiskflowError

ANY_HIGH = 255
_ATOM = re.compile(r"^(\w+)\s*(>=|<=|=|>|<)\s*(\d+)$")
_BETWEEN = re.compile(r"^(\d+)\s*(<=|<)\s*(\w+)(?:\s*(<=|<)\s*(\d+))?$")
_IF = re.compile(r"^if\s+(.*?)\s+then\s+(.*)$", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"(\w+)\s*=\s*([01])")
_SUM = re.compile(r"^(\w+)\s*=\s*SUM\(([^)]*)\)\s*(?:-\s*(\w+))?$")


@dataclass(frozen=True)
class Atom:
    """`variable` lies in [low, high]."""

    variable: str
    low: int
    high: int


Clause = tuple[Atom, ...]


@dataclass(frozen=True)
class Statement:
    """If every clause holds (one of its atoms), set `sets`; with `summands`, set the variable to how many are 1."""

    phase: str
    clauses: tuple[Clause, ...]
    sets: tuple[tuple[str, int], ...]
    summands: tuple[str, ...] = ()


def statement(text: str, phase: str, known: frozenset[str] = frozenset()) -> Statement:
    """Return the statement that a definition says; `known` are the variables that a SUM's patterns stand for."""
    plain = " ".join(text.replace(";", " ; ").split()).rstrip("; ").strip()
    if match := _SUM.match(plain):
        return _sum(match, phase, known)
    match = _IF.match(plain)
    if match is None:
        raise RiskflowError(f"a definition of the CMS tables is not an if … then …, in phase {phase}")
    sets = tuple((name, int(value)) for name, value in _ASSIGNMENT.findall(match[2]))
    if not sets:
        raise RiskflowError(f"a definition of the CMS tables sets no variable, in phase {phase}")
    return Statement(phase, condition(match[1]), sets)


def always(variable: str, value: int, phase: str) -> Statement:
    """Return a statement without a condition."""
    return Statement(phase, (), ((variable, value),))


def condition(text: str) -> tuple[Clause, ...]:
    """Return the clauses of a condition: joined by AND, the atoms of one by OR.

    OR binds tighter than AND even without parentheses: the only such definition, "SEVERE = 1 and HCC_CNT = 6
    or HCC_CNT = 7" of the child model (Table 7), means a severe child with six or seven HCCs.
    """
    clauses: list[Clause] = []
    for part in _split(_unwrapped(text), "and"):
        inner = _unwrapped(part)
        if len(_split(inner, "and")) > 1:
            clauses += condition(inner)
        else:
            clauses.append(tuple(atom(_unwrapped(piece)) for piece in _split(inner, "or")))
    return tuple(clauses)


def atom(text: str) -> Atom:
    """Return the range test that `A = 1`, `A >= 10` or `2 <= A <= 4` says."""
    if match := _ATOM.match(text):
        name, sign, value = match[1], match[2], int(match[3])
        low, high = {
            "=": (value, value),
            ">=": (value, ANY_HIGH),
            ">": (value + 1, ANY_HIGH),
            "<=": (0, value),
            "<": (0, value - 1),
        }[sign]
        return Atom(name, low, high)
    if match := _BETWEEN.match(text):
        low = int(match[1]) + (match[2] == "<")
        high = ANY_HIGH if match[5] is None else int(match[5]) - (match[4] == "<")
        return Atom(match[3], low, high)
    raise RiskflowError("a condition of the CMS tables is not `variable = number` or a range")


def _sum(match: re.Match[str], phase: str, known: frozenset[str]) -> Statement:
    patterns = [piece.strip().removesuffix("*") for piece in match[2].split(",")]
    summands = {name for name in known if any(name.startswith(pattern) for pattern in patterns)}
    return Statement(phase, (), ((match[1], 1),), tuple(sorted(summands - {match[3]})))


def _unwrapped(text: str) -> str:
    """Take off parentheses that enclose the whole text."""
    text = text.strip()
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _closing(text: str) -> int:
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return place
    raise RiskflowError("a condition of the CMS tables has an open parenthesis")


def _split(text: str, word: str) -> list[str]:
    """Split at the word where it stands outside parentheses."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(rf"\(|\)|\b{word}\b", text):
        depth += (match[0] == "(") - (match[0] == ")")
        if match[0] == word and depth == 0:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()]

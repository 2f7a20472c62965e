"""The rule detector with all rules, and the version that names exactly these rules and lists."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from riskflow.notes.redact import (
    beside,
    brief_names,
    checksums,
    contacts,
    dates,
    identifiers,
    index,
    listed_names,
    name_rules,
    names,
    places,
    relations,
    text,
)
from riskflow.notes.redact.rule import RuleDetector, version_of

LISTS = ("ordinary_words.txt", "eponyms.txt", "drugs.txt", "cities.txt", "nicknames.txt")


@cache
def rule_detector() -> RuleDetector:
    """Return the detector that runs every Safe Harbor rule of the package."""
    ruled = (dates, contacts, identifiers, places, name_rules, brief_names)
    rules = tuple(rule for module in ruled for rule in module.RULES)
    modules = (*ruled, beside, checksums, index, listed_names, names, relations, text)
    lists = ("\n".join(text.word_list(name)) for name in LISTS)
    return RuleDetector(rules, f"rules@{version_of(modules, *lists)}")


@cache
def sparing_detector() -> RuleDetector:
    """Return the same rules for texts that nothing else reads: those that protect look only where they could."""
    detector = rule_detector()
    return replace(detector, version=f"{detector.version}-sparing", sparing=True)

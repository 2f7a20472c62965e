"""What may stand beside a word at which a rule for names looks: asked for all words at once, before any text is read.

Each test passes at least the words at which the rule finds something.
"""

from __future__ import annotations

from riskflow.notes.redact.index import Bools, Ints, WordIndex
from riskflow.notes.redact.names import Evidence, evidence, is_any_given


def may_relate(index: WordIndex, found: Ints) -> Bools:
    """Whether a possible name with a capital is the next word: what `relations.after_relation` asks."""
    return index.told(index.ahead(found), _may_be_related)


def _may_be_related(word: str) -> bool:
    if not word[0].isupper():
        return False
    said = evidence(word)
    return said in (Evidence.NAME, Evidence.UNKNOWN) or (said is Evidence.NAME_OR_WORD and is_any_given(word))


def may_label(index: WordIndex, found: Ints) -> Bools:
    """Whether after a word there can be a colon or what stands for one: no other word after one blank."""
    return ~index.adjoining(found) & index.followed_by(found, b":=#'- \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f")

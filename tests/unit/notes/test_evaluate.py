"""Evaluation: what counts as found, as a miss, as too much."""

import json
from dataclasses import dataclass, field

import pytest

from riskflow.errors import RiskflowError
from riskflow.notes.evaluate import compare, evaluate, read_labelled
from riskflow.notes.redact.spans import Detection, span_frame
from riskflow.notes.templates.markup import parse, render

TEXT = "Seen by Dr. {{NAME:Ana Ruiz}} on {{DATE:3/4/2021}} in {{GEO:Erie}}. Parkinson disease stable."


@dataclass
class Fixed:
    spans: list
    failed: dict = field(default_factory=dict)
    version: str = "fixed:1"

    def detect(self, texts):
        return Detection(span_frame(self.spans), self.failed)


def spans_of(text, *values):
    return [(0, text.index(v), text.index(v) + len(v), k, "rule:x") for v, k in values]


def scored(evaluation):
    return {row["kind"]: row for row in evaluation.scores.iter_rows(named=True)}


def test_whole_part_and_missed_spans_and_too_much_are_counted():
    item = parse(TEXT)
    found = spans_of(item.text, ("Ana", "NAME"), ("3/4/2021", "DATE"), ("Parkinson", "NAME"))
    result = evaluate([("a", item)], Fixed(found))
    rows = scored(result)
    assert (rows["NAME"]["found_whole"], rows["NAME"]["found_in_part"], rows["NAME"]["precision"]) == (
        0,
        1,
        0.5,
    )
    assert (rows["DATE"]["recall"], rows["DATE"]["precision"], rows["DATE"]["f2"]) == (1.0, 1.0, 1.0)
    assert (rows["GEO"]["recall"], rows["GEO"]["precision"]) == (0.0, None)
    assert rows["ALL"]["recall"] == pytest.approx(1 / 3)
    assert rows["ALL"]["precision"] == pytest.approx(2 / 3)
    assert rows["ALL"]["f2"] == pytest.approx(5 * (2 / 3) * (1 / 3) / (4 * 2 / 3 + 1 / 3))
    assert result.over_redaction == pytest.approx(1 / 8)  # Seen by Dr on in Parkinson disease stable
    assert sorted(result.misses["kind"]) == ["GEO", "NAME"]


def test_two_spans_that_meet_cover_a_name_and_punctuation_need_not_be_covered():
    item = parse("{{NAME:Ruiz, Ana}} left.")
    assert (
        scored(evaluate([("a", item)], Fixed(spans_of(item.text, ("Ruiz", "NAME"), ("Ana", "GEO")))))["NAME"][
            "recall"
        ]
        == 1.0
    )


def test_misses_are_told_by_hash_and_by_text_only_when_asked():
    labelled = [("a", parse(TEXT))]
    hidden = evaluate(labelled, Fixed([]))
    assert "Ana Ruiz" not in hidden.misses.write_csv()
    assert hidden.misses["sha256"].str.len_chars().unique().to_list() == [64]
    assert "Ana Ruiz" in evaluate(labelled, Fixed([]), show_text=True).misses["text"].to_list()


def test_a_withheld_text_is_no_miss_but_counted():
    result = evaluate([("a", parse(TEXT)), ("b", parse("fine"))], Fixed([], {0: "broke"}))
    assert (result.withheld, result.misses.height, scored(result)["ALL"]["true_spans"]) == (1, 0, 0)


def test_both_ways_of_labelling_are_the_same(tmp_path):
    item = parse(TEXT)
    spans = [{"start": s, "end": e, "kind": k.lower()} for s, e, k in item.spans]
    path = tmp_path / "set.jsonl"
    path.write_text(
        "\n".join(
            json.dumps(row)
            for row in ({"id": "x", "text": item.text, "spans": spans}, {"markup": TEXT}, {"text": TEXT})
        )
    )
    assert read_labelled(path) == [("x", item), ("2", item), ("3", item)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"text": "a", "spans": [{"start": 0, "end": 9, "kind": "NAME"}]}', "outside"),
        ('{"text": "a", "spans": [{"start": 0, "end": 1, "kind": "COLOUR"}]}', "kind"),
        ('{"text": 7}', "not a labelled text"),
        ("nonsense Ana", "line 2"),
        ("[1]", "line 2"),
    ],
)
def test_a_wrong_line_is_told_by_its_number_without_its_text(tmp_path, line, says):
    path = tmp_path / "set.jsonl"
    path.write_text('{"text": "ok"}\n' + line)
    with pytest.raises(RiskflowError, match=says) as raised:
        read_labelled(path)
    assert "line 2" in str(raised.value)
    assert "Ana" not in str(raised.value)


def test_markup_and_spans_are_inverse():
    item = parse(TEXT)
    assert render(item.text, item.spans) == TEXT
    assert [item.text[s:e] for s, e, _ in item.spans] == ["Ana Ruiz", "3/4/2021", "Erie"]


def test_offsets_count_code_points():
    item = parse("Łódź é𝒳 {{NAME:Zoë Đặng}}!")
    found = Detection(span_frame([(0, item.text.index("Zoë"), item.text.index("!"), "NAME", "ner:x")]))
    assert compare([("a", item)], found).scores.filter(kind="NAME")["recall"].item() == 1.0

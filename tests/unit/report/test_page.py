"""A page is one file, safe to open, the same bytes for the same content, and complete without JavaScript."""

import re
from collections import Counter
from html.parser import HTMLParser

import polars as pl
import pytest

from riskflow.artifacts import Artifact
from riskflow.errors import RiskflowError
from riskflow.receipts import Receipt
from riskflow.report import (
    Callout,
    Chart,
    Column,
    Definitions,
    Headline,
    Legend,
    Number,
    Page,
    Prose,
    Section,
    Table,
    charts,
    quality,
    run_facts,
)
from riskflow.report.page import with_commands

NASTY = """<script>alert("x")</script> & 'quotes' $x$"""
VOID = {"meta", "input", "use", "path", "br"}


def receipt(stage: str, read: int = 10, kept: int = 9, quarantined: int = 1) -> Receipt:
    return Receipt(
        stage=stage,
        counts={"read": read, "kept": kept, "quarantined": quarantined},
        params={"config.scoring.method": '"v1"', "code.riskflow.errors": "abc"},
        provenance="0123456789abcdef",
        outputs=[Artifact(f"results/{stage}.parquet", stage, kept, "fedcba9876543210")],
        run={
            "started": "2020-01-02T03:04:05",
            "seconds": 1.5,
            "python": "3.11.1",
            "versions": {"polars": "2.1.0"},
        },
    )


def everything(text: str) -> Page:
    chart = charts.stacked_bars([text, "b"], {text: [1, 2], "other": [3, 4]})
    columns = [
        Column("a", text, "text", meaning=text),
        Column("b", "List", "list"),
        Column("c", "Stack", "stack", tones={"x": "tone1"}),
        Column("d", "Meter", "meter"),
        Column("e", "Tag", "tag"),
    ]
    row = {"a": text, "b": [text], "c": {text: 5.0}, "d": 30.0, "e": text}
    blocks = [
        Headline([Number(text, text, text, text)]),
        Prose(text),
        Callout(text, "warning"),
        Definitions([(text, text)]),
        Legend({text: "tone1"}),
        Chart(text, chart, alt=text, note=text, meaning=text),
        Chart(text, chart, alt=text, wide=True),
        Table(text, [row, row], columns, note=text, filterable=True, cards=True),
    ]
    return Page(
        text, text, run_facts([receipt("t.a"), receipt("t.b")]), [Section(text, text, blocks)], track=text
    )


class Outline(HTMLParser):
    """Tags, ids, links and balance of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids[str(value)] += 1
            elif name in {"href", "xlink:href", "src"}:
                self.links.append(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    return parser


def test_names_from_data_are_escaped_everywhere() -> None:
    html = everything(NASTY).html()
    assert "<script>alert" not in html
    assert html.count("<script>") == 1  # the table filter


def test_a_command_between_backticks_is_shown_as_one_and_still_escaped() -> None:
    assert with_commands("run `a <b>` & see") == "run <code>a &lt;b&gt;</code> &amp; see"


def test_the_page_is_balanced_and_its_ids_are_unique() -> None:
    parsed = outline(everything(NASTY).html())
    assert parsed.open == []
    assert [name for name, count in parsed.ids.items() if count > 1] == []


def test_links_stay_inside_the_page() -> None:
    parsed = outline(everything("plain").html())
    assert parsed.links
    assert all(link.startswith("#") for link in parsed.links)
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)


def test_nothing_is_fetched() -> None:
    html = everything("plain").html()
    addresses = set(re.findall(r"https?://[^\"'\s)<]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "default-src 'none'" in html
    assert "@import" not in html and "<link" not in html


def test_equal_content_gives_equal_bytes_and_no_clock_time() -> None:
    html = everything(NASTY).html()
    assert html == everything(NASTY).html()
    assert "03:04:05" not in html


def test_charts_and_tables_say_what_they_are() -> None:
    html = everything("a name").html()
    parsed = outline(html)
    assert html.count('role="img" aria-label="a name"') == parsed.tags["svg"] == 2
    assert parsed.tags["caption"] == parsed.tags["table"]
    assert parsed.tags["figcaption"] == parsed.tags["figure"]


def test_footnotes_are_numbered_once_per_text() -> None:
    numbers = Headline(
        [Number("a", 1, meaning="one"), Number("b", 2, meaning="two"), Number("c", 3, meaning="one")]
    )
    html = Page("t", "l", run_facts([]), [Section("s", blocks=[numbers])]).html()
    assert html.count('href="#note-1"') == 2
    assert html.count(">one</li>") == 1


def test_light_dark_phone_and_print_are_there() -> None:
    html = everything("plain").html()
    for query in ("prefers-color-scheme: dark", "max-width: 40rem", "@media print", "prefers-reduced-motion"):
        assert query in html


@pytest.mark.parametrize(
    ("kind", "digits", "value", "text"),
    [
        ("number", 0, 12345, "12,345"),
        ("number", 2, 1.005, "1.00"),
        ("percent", 1, 0.1234, "12.3%"),
        ("money", 0, 1234.5, "$1,234"),
        ("signed", 1, -2.25, "−2.2"),
        ("signed", 0, 3, "+3"),
        ("text", 0, None, "–"),
        ("list", 0, [], "–"),
        ("stack", 0, None, "–"),
    ],
)
def test_cells_are_formatted_by_kind(kind: str, digits: int, value: object, text: str) -> None:
    table = Table("t", [{"a": value}], [Column("a", "A", kind, digits)])  # type: ignore[arg-type]
    assert table.cells[0][0].text == text


def test_a_stack_leaves_out_what_is_not_above_zero() -> None:
    table = Table(
        "t", [{"a": {"x": 20.0, "y": 0.0, "z": None}}], [Column("a", "A", "stack", tones={"x": "tone2"})]
    )
    assert table.cells[0][0].parts == [("x 20.0", "tone2", 20.0)]


def test_a_column_that_the_rows_do_not_have_is_an_error() -> None:
    with pytest.raises(RiskflowError, match="no such column in its rows: b"):
        _ = Table("t", pl.DataFrame({"a": [1]}), [Column("b", "B")]).cells


def test_quality_counts_rows_and_rules() -> None:
    quarantined = pl.DataFrame(
        {
            "rule_id": ["npi.digits"] * 2 + ["dob.date"],
            "reason": ["r"] * 2 + ["d"],
            "source": ["data/x.csv"] * 3,
        }
    )
    _, rows, rules = quality([receipt("t.payments", 10, 7, 3)], [quarantined]).blocks
    assert isinstance(rows, Table) and isinstance(rules, Table)
    assert [c.text for c in rows.cells[0]] == ["t.payments", "10", "7", "3", "30.00%"]
    assert [[c.text for c in row] for row in rules.cells] == [
        ["x.csv", "npi.digits", "r", "2"],
        ["x.csv", "dob.date", "d", "1"],
    ]


def test_quality_takes_the_rules_from_receipts_where_there_is_no_quarantine() -> None:
    told = receipt("t.payments", 10, 7, 3)
    told.facts["quarantined_by_rule"] = {"b.rule": 2, "a.rule": 1}
    rules = quality([told]).blocks[2]
    assert isinstance(rules, Table)
    assert [[c.text for c in row] for row in rules.cells] == [
        ["t.payments", "a.rule", "–", "1"],
        ["t.payments", "b.rule", "–", "2"],
    ]


def test_quality_does_not_count_a_gate_twice() -> None:
    gate = Receipt(stage="t.quality", counts={"read": 10, "kept": 7, "quarantined": 3})
    rows = quality([receipt("t.payments", 10, 7, 3), gate]).blocks[1]
    assert isinstance(rows, Table) and len(rows.cells) == 1


def test_quality_says_when_rows_were_lost() -> None:
    note = quality([receipt("t.payments", 10, 7, 1)]).blocks[0]
    assert isinstance(note, Callout)
    assert note.tone == "warning" and "t.payments" in note.text


def test_jobs_of_a_sharded_stage_are_added_up() -> None:
    facts = run_facts([receipt("t.score", 10), receipt("t.score", 20)])
    assert [c.text for c in facts.stages.cells[0]][:3] == ["t.score", "2", "read 30, kept 18, quarantined 2"]

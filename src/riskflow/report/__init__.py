"""Report pages: one self-contained HTML file per track, built from blocks.

A page is a title, run facts, and sections of blocks. Nothing is fetched when it is opened: CSS, charts (SVG)
and the few lines of table filtering are inside, and a content security policy forbids everything else. It has a light
and a dark face, fits a phone and prints. All text is escaped, so pass plain text, never HTML. The same
content gives the same bytes: no clock is read (run times are in the receipts).

    from riskflow.report import Chart, Column, Headline, Number, Page, Section, Table, charts, quality, run_facts

    Page(
        title="Member risk",
        lead="One sentence that says what the reader looks at.",
        facts=run_facts(receipts),                     # git, code, config, data digests, rows per stage
        sections=[
            Section("At a glance", blocks=[
                Headline([Number("Members scored", 12_345, note="of 12,400", meaning="Members with …")]),
            ]),
            Section("Scores", intro="Plain text, a paragraph.", blocks=[
                Chart("Scores by metal", charts.histogram(edges, {"Silver": counts}, x_label="risk score"),
                      alt="What the chart shows, in words, for who cannot see it"),
                Table("Highest scores", frame, [Column("member_id", "Member", "code"),
                      Column("score", "Score", "number", digits=3, meaning="Footnote text")], filterable=True),
            ]),
            quality(receipts, quarantine_frames),      # read / kept / quarantined per table, and per rule
        ],
    ).write(output)

Blocks (`riskflow.report.blocks`)
    Headline(numbers)       large numbers; Number(label, value, note, meaning, tone). `value` int, float or text.
    Chart(title, svg, alt, note, meaning, wide)   two to a row; `wide=True` takes the row.
    Table(title, rows, columns, note, filterable, cards, collapsed, half)   rows: polars frame or mappings;
        `cards=True` turns rows into cards on a phone, `collapsed=True` hides all behind the title, `half=True`
        puts it beside a chart. Column(name, heading, kind, digits, meaning, tones, scale); kinds: text, code,
        number, percent (0..1), money (dollars), signed (+1.2), tag (tones: value → tone), list (a list of
        sentences), lines (first strong, the others small), meter (0..scale as a bar), stack (mapping
        label → value as a stacked bar; tones: label → tone)
    Prose(text)             a paragraph;   Callout(text, tone)   a boxed remark (tone "info", "warning", "good")
    Definitions(items)      terms and what they mean;   Legend(tones)   names of the colours of `stack` cells
    `meaning` becomes a numbered footnote at the end of the page; equal texts share a number.

Charts (`riskflow.report.charts`), each returns SVG text
    histogram(edges, series)             counts per bin, several series stacked; `marks` draws named lines
    stacked_bars(labels, series)         one horizontal bar per label, as shares of 100% (or `share=False`)
    bars(labels, values)                 horizontal bars with their values written out
    grouped_bars(labels, series)         several bars per label (recall and over-redaction per kind)
    waterfall(steps)                     Step(label, value, total): totals stand on 0, the others on what came before
    curves(lines)                        Curve(name, x, y): ROC, precision and recall, lift
    intervals(labels, series)            dots with confidence bars; Interval(value, low, high)
    ranges(labels, quantiles)            five quantiles (10, 25, 50, 75, 90) per label: a distribution per group
`bin_counts(values, edges)` counts a polars series into bins. Colours are tones, which follow light and dark: "tone1"
… "tone8", "good", "warn", "bad", "muted", "ink", and the tiers "high", "elevated", "moderate", "low".
"""

from riskflow.report.blocks import (
    Block,
    Callout,
    Chart,
    Column,
    Definitions,
    Headline,
    Legend,
    Number,
    Prose,
    Section,
    Table,
)
from riskflow.report.facts import Facts, quality, run_facts
from riskflow.report.page import Page

__all__ = [
    "Block",
    "Callout",
    "Chart",
    "Column",
    "Definitions",
    "Facts",
    "Headline",
    "Legend",
    "Number",
    "Page",
    "Prose",
    "Section",
    "Table",
    "quality",
    "run_facts",
]

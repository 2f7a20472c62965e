"""Assembly of a page: blocks in, one HTML file out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from riskflow.files import write_text
from riskflow.report.blocks import Chart, Section
from riskflow.report.facts import Facts
from riskflow.resources import text

_SVG_ID = re.compile(r'(?<=\bid=")|(?<=href="#)|(?<=url\(#)')
_COMMAND = re.compile("`([^`]+)`")
_CONTROL_CHARACTERS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), " ")  # no place in HTML


@dataclass(frozen=True)
class Page:
    """A report page: what it is about, the run's facts, and its sections."""

    title: str
    lead: str
    facts: Facts
    sections: Sequence[Section]
    track: str = ""

    def html(self) -> str:
        """Return the page as one self-contained HTML document."""
        footnotes, figures = Footnotes(), Figures()
        html = _template().render(
            page=self,
            css=Markup(text(__package__, "page.css")),  # ours, not data
            footnotes=footnotes,
            figure=figures.inline,
        )
        return html.translate(_CONTROL_CHARACTERS)

    def write(self, path: Path) -> None:
        """Write the page."""
        write_text(self.html(), path)


@dataclass
class Footnotes:
    """Numbers the meanings in the order of their first use; equal texts share a number."""

    texts: list[str] = field(default_factory=list)

    def number(self, meaning: str) -> int:
        """Return the footnote number of a meaning."""
        if meaning not in self.texts:
            self.texts.append(meaning)
        return self.texts.index(meaning) + 1


@dataclass
class Figures:
    """Gives each chart of a page ids of its own, since they share one document."""

    count: int = 0

    def inline(self, chart: Chart) -> Markup:
        """Return the chart's SVG, named by its `alt` text for who cannot see it."""
        self.count += 1
        prefix = f"f{self.count}-"
        svg = _SVG_ID.sub(prefix, chart.svg)
        label = escape(chart.alt)
        return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))


def with_commands(sentence: str) -> Markup:
    """Return a sentence for a page, escaped, with what stands between backticks shown as something to type."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(sentence))))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["with_commands"] = with_commands
    return environment.from_string(text(__package__, "page.html.j2"))

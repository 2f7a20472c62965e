"""The drawing surface of the charts: a figure in the page's colours, and its SVG made fit for a page.

matplotlib knows no CSS variables, so it draws with stand-in colours that are put back as `var(--tone)`.
Text stays text (searchable, in the page's font), and no date, version or random id gets into the bytes.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable
from typing import Any, Literal, ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from riskflow.errors import RiskflowError

HALF, WIDE = (480.0, 290.0), (960.0, 320.0)  # pixels; half and whole width of a page's column
POINTS_PER_INCH = 72.0

TONES = (
    *("ink", "muted", "grid", "paper", "good", "warn", "bad"),
    *(f"tone{number}" for number in range(1, 9)),
    *("high", "elevated", "moderate", "low"),
)
_STAND_INS = {tone: f"#0a0b{number:02x}" for number, tone in enumerate(TONES)}
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "riskflow",
    "svg.id": None,
    "text.parse_math": False,  # a name with dollar signs is a name
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
}


P = ParamSpec("P")


def drawing(function: Callable[P, str]) -> Callable[P, str]:
    """Make a chart function draw with the page's settings: text as text, no mathematics in names, fixed ids."""

    @functools.wraps(function)
    def draw(*args: P.args, **kwargs: P.kwargs) -> str:
        with matplotlib.rc_context(_SETTINGS):
            return function(*args, **kwargs)

    return draw


def tone_of(name: str) -> str:
    """Return the name if the page has such a tone."""
    if name not in _STAND_INS:
        raise RiskflowError(f"no such tone: {name}", f"use one of {', '.join(TONES)}")
    return name


def color(tone: str) -> str:
    """Return what matplotlib draws with for a tone of the page."""
    return _STAND_INS[tone_of(tone)]


def axes_of(size: tuple[float, float], grid: Literal["x", "y"] = "y") -> tuple[Figure, Axes]:
    """Return an empty figure of a size in pixels, with quiet axes and a grid across the values."""
    figure = Figure(figsize=(size[0] / POINTS_PER_INCH, size[1] / POINTS_PER_INCH), layout="constrained")
    axes = figure.add_subplot()
    for side in ("top", "right", "left") if grid == "y" else ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(color("muted"))
    axes.tick_params(colors=color("muted"), length=0, labelsize=10.5)
    axes.grid(axis=grid, color=color("grid"), linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.label.set_color(color("muted"))
    axes.yaxis.label.set_color(color("muted"))
    axes.patch.set_visible(False)
    figure.patch.set_visible(False)
    return figure, axes


def count_axis(axis: Axis) -> None:
    """Label an axis with short numbers: 1,200 or 15k or 2.5M."""
    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def rendered(figure: Figure) -> str:
    """Return the figure as an `<svg>` element without header, metadata, fixed size or fixed colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)  # the page's own font
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    for tone, stand_in in _STAND_INS.items():
        svg = svg.replace(stand_in, f"var(--{tone})")
    return svg


def _short(value: float) -> str:
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):g}{letter}"
    return f"{value:,g}" if abs(value) < 1 else f"{value:,.10g}"

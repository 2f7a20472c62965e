"""Charts as SVG text. Colours are CSS variables of the page, so that a chart follows light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl
from matplotlib.axes import Axes

from riskflow.report.canvas import HALF, WIDE, axes_of, color, count_axis, drawing, rendered, tone_of

LABEL_SIZE = 10.5
LABEL_LENGTH = 26
LEGEND_LENGTH = 62  # characters of names that fit in one row of half a page's width
_SERIES = tuple(f"tone{number}" for number in range(1, 9))


@dataclass(frozen=True)
class Step:
    """One bar of a waterfall: a total stands on 0, any other step on what came before."""

    label: str
    value: float
    total: bool = False


@dataclass(frozen=True)
class Curve:
    """A line of (x, y) points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Interval:
    """A value with its confidence bounds."""

    value: float
    low: float
    high: float


def bin_counts(values: pl.Series, edges: Sequence[float]) -> list[int]:
    """Return how many values lie in each bin [edge, next edge), the last bin closed; nulls are not counted."""
    bins = pl.Series(edges)
    width = len(edges) - 1
    index = bins.search_sorted(values.drop_nulls().cast(pl.Float64), side="right").cast(pl.Int64) - 1
    inside = index.filter((values.drop_nulls() >= edges[0]) & (values.drop_nulls() <= edges[-1]))
    found = inside.clip(0, width - 1).value_counts(name="n")
    counts = dict(zip(*(found[column].to_list() for column in found.columns), strict=True))
    return [counts.get(number, 0) for number in range(width)]


@drawing
def histogram(
    edges: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    x_label: str = "",
    y_label: str = "",
    tones: Mapping[str, str] | None = None,
    marks: Mapping[str, float] | None = None,
    wide: bool = False,
) -> str:
    """Return stacked counts per bin; `marks` are named vertical lines."""
    figure, axes = axes_of(WIDE if wide else HALF)
    below = [0.0] * (len(edges) - 1)
    widths = [right - left for left, right in pairwise(edges)]
    for number, (name, counts) in enumerate(series.items()):
        tone = _tone(tones, name, number)
        axes.bar(edges[:-1], counts, widths, below, align="edge", color=color(tone), label=name, **_SEAM)
        below = [low + count for low, count in zip(below, counts, strict=True)]
    for name, position in (marks or {}).items():
        axes.axvline(position, color=color("ink"), linewidth=0.8, linestyle=(0, (2, 2)))
        axes.annotate(
            name,
            (position, 1.0),
            (3, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            fontsize=9.5,
            color=color("ink"),
        )
    axes.set(xlim=(edges[0], edges[-1]), xlabel=x_label, ylabel=y_label)
    count_axis(axes.yaxis)
    _legend(axes, len(series))
    return rendered(figure)


@drawing
def stacked_bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    share: bool = True,
    x_label: str = "",
    tones: Mapping[str, str] | None = None,
    wide: bool = False,
) -> str:
    """Return one horizontal bar per label, first label on top; with `share` every bar is 100% long."""
    figure, axes = axes_of(_tall(len(labels), wide), grid="x")
    totals = [sum(values) or 1.0 for values in zip(*series.values(), strict=True)] if labels else []
    left = [0.0] * len(labels)
    for number, (name, values) in enumerate(series.items()):
        width = [100.0 * v / t if share else v for v, t in zip(values, totals, strict=True)]
        axes.barh(
            range(len(labels)),
            width,
            0.72,
            left,
            color=color(_tone(tones, name, number)),
            label=name,
            **_SEAM,
        )
        left = [start + more for start, more in zip(left, width, strict=True)]
    _rows(axes, labels)
    axes.set_xlabel(x_label)
    if share:
        axes.set_xlim(0, 100)
        axes.set_xticks([0, 25, 50, 75, 100], ["0", "25%", "50%", "75%", "100%"])
    else:
        count_axis(axes.xaxis)
    _legend(axes, len(series))
    return rendered(figure)


@drawing
def bars(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    x_label: str = "",
    tones: Mapping[str, str] | None = None,
    digits: int = 0,
    wide: bool = False,
) -> str:
    """Return horizontal bars with their values written out, first label on top."""
    figure, axes = axes_of(_tall(len(labels), wide), grid="x")
    colors = [color((tones or {}).get(label, "tone1")) for label in labels]
    drawn = axes.barh(range(len(labels)), values, 0.68, color=colors)
    texts = [f"{value:,.{digits}f}" for value in values]
    axes.bar_label(drawn, texts, padding=4, fontsize=LABEL_SIZE, color=color("ink"))
    axes.margins(x=0.14)
    _rows(axes, labels)
    axes.set_xlabel(x_label)
    count_axis(axes.xaxis)
    return rendered(figure)


@drawing
def grouped_bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    *,
    x_label: str = "",
    tones: Mapping[str, str] | None = None,
    limits: tuple[float, float] | None = None,
    wide: bool = False,
) -> str:
    """Return several horizontal bars per label; a null leaves a gap."""
    figure, axes = axes_of(_tall(len(labels) * max(len(series), 1) * 0.62, wide), grid="x")
    height = 0.78 / max(len(series), 1)
    for number, (name, values) in enumerate(series.items()):
        at = [row - 0.39 + height * (number + 0.5) for row in range(len(labels))]
        axes.barh(
            at,
            [v if v is not None else 0.0 for v in values],
            height * 0.94,
            color=color(_tone(tones, name, number)),
            label=name,
        )
    _rows(axes, labels)
    axes.set_xlabel(x_label)
    if limits:
        axes.set_xlim(*limits)
    _legend(axes, len(series))
    return rendered(figure)


@drawing
def waterfall(
    steps: Sequence[Step],
    *,
    x_label: str = "",
    digits: int = 1,
    tones: Mapping[str, str] | None = None,
    wide: bool = False,
) -> str:
    """Return totals and the steps between them, first step on top, with the values written out."""
    figure, axes = axes_of(_tall(len(steps), wide), grid="x")
    level = 0.0
    ends = []
    for row, step in enumerate(steps):
        start, end = (0.0, step.value) if step.total else (level, level + step.value)
        default = "ink" if step.total else "bad" if step.value > 0 else "good"
        axes.barh(row, end - start, 0.62, start, color=color((tones or {}).get(step.label, default)))
        text = f"{step.value:,.{digits}f}" if step.total else f"{step.value:+,.{digits}f}".replace("-", "−")
        side = max(start, end)
        axes.annotate(
            text,
            (side, row),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=LABEL_SIZE,
            color=color("ink"),
        )
        if row + 1 < len(steps):
            axes.plot([end, end], [row + 0.31, row + 0.69], color=color("muted"), linewidth=0.8)
        level = end
        ends += [start, end]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    axes.set_xlim(low - 0.02 * (high - low), high + 0.16 * (high - low or 1.0))
    axes.axvline(0, color=color("muted"), linewidth=0.8)
    _rows(axes, [step.label for step in steps])
    axes.set_xlabel(x_label)
    return rendered(figure)


@drawing
def curves(
    lines: Sequence[Curve],
    *,
    x_label: str = "",
    y_label: str = "",
    diagonal: bool = False,
    level: float | None = None,
    tones: Mapping[str, str] | None = None,
    limits: tuple[float, float] | None = (0.0, 1.0),
    log_x: bool = False,
    wide: bool = False,
) -> str:
    """Return lines; `diagonal` and `level` draw what chance would give."""
    figure, axes = axes_of(WIDE if wide else HALF)
    chance: dict[str, Any] = {"color": color("muted"), "linewidth": 1.0, "linestyle": (0, (3, 3))}
    if diagonal:
        axes.plot([0, 1], [0, 1], **chance)
    if level is not None:
        axes.axhline(level, **chance)
    for number, line in enumerate(lines):
        axes.plot(
            line.x, line.y, color=color(_tone(tones, line.name, number)), linewidth=2.0, label=line.name
        )
    if log_x:
        axes.set_xscale("log")
    if limits:
        axes.set_ylim(limits[0], limits[1] + 0.02 * (limits[1] - limits[0]))
        if not log_x:
            axes.set_xlim(0, 1)
    axes.set(xlabel=x_label, ylabel=y_label)
    _legend(axes, len(lines), always=True)
    return rendered(figure)


@drawing
def intervals(
    labels: Sequence[str],
    series: Mapping[str, Sequence[Interval]],
    *,
    x_label: str = "",
    level: float | None = None,
    tones: Mapping[str, str] | None = None,
    digits: int = 2,
    wide: bool = False,
) -> str:
    """Return a dot with its confidence bar per label and series; `level` is what chance would give."""
    figure, axes = axes_of(_tall(len(labels) * max(len(series), 1) * 0.7, wide), grid="x")
    for number, (name, values) in enumerate(series.items()):
        tone = color(_tone(tones, name, number))
        offset = 0.62 * ((number + 0.5) / len(series) - 0.5)
        for row, item in enumerate(values):
            at = row + offset
            axes.plot([item.low, item.high], [at, at], color=tone, linewidth=2.2, solid_capstyle="round")
            axes.plot([item.value], [at], "o", color=tone, markersize=6, label=name if row == 0 else None)
            axes.annotate(
                f"{item.value:,.{digits}f}",
                (max(item.high, item.value), at),
                (6, 0),
                textcoords="offset points",
                va="center",
                fontsize=9.5,
                color=color("ink"),
            )
    if level is not None:
        axes.axvline(level, color=color("muted"), linewidth=1.0, linestyle=(0, (3, 3)))
    axes.margins(x=0.12)
    _rows(axes, labels)
    axes.set_xlabel(x_label)
    _legend(axes, len(series))
    return rendered(figure)


@drawing
def ranges(
    labels: Sequence[str],
    quantiles: Sequence[tuple[float, float, float, float, float]],
    *,
    x_label: str = "",
    tone: str = "tone1",
    wide: bool = False,
) -> str:
    """Return a distribution per label from its 10th, 25th, 50th, 75th and 90th percentile."""
    figure, axes = axes_of(_tall(len(labels), wide), grid="x")
    for row, (p10, p25, p50, p75, p90) in enumerate(quantiles):
        axes.plot([p10, p90], [row, row], color=color(tone), linewidth=1.6, solid_capstyle="round")
        axes.barh(row, p75 - p25, 0.5, p25, color=color(tone))
        axes.plot([p50, p50], [row - 0.25, row + 0.25], color=color("paper"), linewidth=2.2)
    _rows(axes, labels)
    axes.set_xlabel(x_label)
    return rendered(figure)


_SEAM: dict[str, Any] = {"edgecolor": color("paper"), "linewidth": 0.6}


def _tone(tones: Mapping[str, str] | None, name: str, number: int) -> str:
    return tone_of((tones or {}).get(name, _SERIES[number % len(_SERIES)]))


def _tall(rows: float, wide: bool) -> tuple[float, float]:
    """Return the size of a chart with that many rows of bars."""
    return (WIDE if wide else HALF)[0], max(130.0, 64.0 + 23.0 * rows)


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [_shortened(label) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelsize=LABEL_SIZE, labelcolor=color("ink"))


def _shortened(label: str) -> str:
    """Return the label as it fits beside a chart; the whole of it is in the alt text and in tables."""
    return label if len(label) <= LABEL_LENGTH else label[: LABEL_LENGTH - 1].rstrip(" ,(") + "…"


def _legend(axes: Axes, series: int, always: bool = False) -> None:
    if series > 1 or always:
        names = [_shortened(str(name)) for name in axes.get_legend_handles_labels()[1]]
        columns = series if sum(map(len, names)) + 4 * series <= LEGEND_LENGTH + 20 else min(series, 3)
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=columns,
            frameon=False,
            fontsize=LABEL_SIZE,
            labelcolor=color("ink"),
            borderpad=0.2,
            borderaxespad=0.1,
            handlelength=0.9,
            handleheight=0.9,
            columnspacing=1.2,
            handletextpad=0.5,
        )

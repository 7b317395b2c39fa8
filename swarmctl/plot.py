"""Accuracy against seats as an SVG: a line with its interval, readable on light and dark. Pure."""

import math
from collections.abc import Sequence
from html import escape

from broker.voting.evaluate import Point

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 48, 56
LABELS_MAX = 16
"""Numbers under the axis; of more seats every second, third … has one."""

INK, LINE = "#767676", "#1f77b4"
"""A grey that reads on black and on white alike, and a blue."""


def svg(points: Sequence[Point], title: str) -> str:
    """The whole file."""
    low, high = _bounds(points)
    seats = max(point.seats for point in points)

    def x(at: float) -> float:
        return LEFT + (at - 1) / max(1, seats - 1) * (WIDTH - LEFT - RIGHT)

    def y(accuracy: float) -> float:
        return TOP + (high - accuracy) / (high - low) * (HEIGHT - TOP - BOTTOM)

    band = [(x(p.seats), y(p.high)) for p in points]
    band += [(x(p.seats), y(p.low)) for p in reversed(points)]
    line = [(x(p.seats), y(p.accuracy)) for p in points]
    every = 1 + (seats - 1) // LABELS_MAX
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13" fill="{INK}">',
        f"<title>{escape(title)}</title>",
        _text(WIDTH / 2, 24, title, size=15),
        *[_level(x(seats), y(step), step) for step in _steps(low, high)],
        *[_text(x(p.seats), HEIGHT - BOTTOM + 20, str(p.seats)) for p in points[::every]],
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "seats"),
        f'<polygon points="{_path(band)}" fill="{LINE}" fill-opacity="0.2"/>',
        f'<polyline points="{_path(line)}" fill="none" stroke="{LINE}" stroke-width="2"/>',
        *[f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3" fill="{LINE}"/>' for cx, cy in line],
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bounds(points: Sequence[Point]) -> tuple[float, float]:
    """Tenths around everything that is shown."""
    low = math.floor(10 * min(point.low for point in points)) / 10
    high = math.ceil(10 * max(point.high for point in points)) / 10
    return (low, high) if high > low else (low - 0.1, high + 0.1)


def _steps(low: float, high: float) -> list[float]:
    return [step / 10 for step in range(round(low * 10), round(high * 10) + 1)]


def _level(end: float, y: float, step: float) -> str:
    line = f'<line x1="{LEFT}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{INK}" '
    return f'{line}stroke-opacity="0.3"/>' + _text(LEFT - 26, y + 4, f"{step:.0%}")


def _text(x: float, y: float, text: str, size: int = 13) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}"'
    return f'<text {where} text-anchor="middle">{escape(text)}</text>'


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)

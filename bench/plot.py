#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws what `loky-bench --curves FILE` measured: throughput over task length, and round trips.

    plot.py FILE.json FILE.svg

The colours follow the reader's light or dark preference, where the viewer knows of it.
"""

import json
import math
import sys

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 500, 380, 76, 64, 24, 52

# Each line also has a pattern of its own: colours are not all that tells them apart.
STYLE = """
.back { fill: #ffffff } text { fill: #241f31 } .grid { stroke: #deddda } .minor { stroke: #f0efed }
.frame { stroke: #77767b; fill: none }
.line { fill: none; stroke-width: 2; stroke-linejoin: round } .point { stroke: none }
.l0 { stroke: #1a5fb4 } .p0 { fill: #1a5fb4 }
.l1 { stroke: #c64600; stroke-dasharray: 8 3 } .p1 { fill: #c64600 }
.l2 { stroke: #1b7f52; stroke-dasharray: 2 3 } .p2 { fill: #1b7f52 }
.l3 { stroke: #813d9c; stroke-dasharray: 8 3 2 3 } .p3 { fill: #813d9c }
@media (prefers-color-scheme: dark) {
.back { fill: #1e1e1e } text { fill: #f6f5f4 } .grid { stroke: #4a4a4a } .minor { stroke: #2e2e2e }
.frame { stroke: #9a9996 }
.l0 { stroke: #78aeed } .p0 { fill: #78aeed } .l1 { stroke: #ffa348 } .p1 { fill: #ffa348 }
.l2 { stroke: #57e389 } .p2 { fill: #57e389 } .l3 { stroke: #dc8add } .p3 { fill: #dc8add }
}
"""


def log_from_zero(value):
    """A logarithm in which 0 has a place, a decade below 1."""
    return math.log10(max(value, 0.1))


def nines(percent):
    """Stretches the tail: 90, 99 and 99.9 percent are equally far from each other."""
    return -math.log10(1 - percent / 100)


def number(value):
    return f'{value:,.0f}' if value >= 1 else f'{value:g}'


class Plot:
    """Lines over an axis that scale_x places, and a logarithmic one."""

    def __init__(self, offset, title, labels, lines, scale_x, ticks):
        self.left, self.right = offset + LEFT, offset + WIDTH - RIGHT
        self.title, self.labels, self.lines, self.scale_x, self.ticks = title, labels, lines, scale_x, ticks
        points = [point for line in lines.values() for point in line]
        xs, ys = [scale_x(x) for x, _ in points] or [0], [math.log10(y) for _, y in points if y > 0] or [0]
        self.x_low, self.x_high = min(xs), max(max(xs), min(xs) + 1)
        self.bottom = math.floor(min(ys))
        self.top = max(math.ceil(max(ys)), self.bottom + 1)

    def x(self, value):
        return self.left + (self.scale_x(value) - self.x_low) / (self.x_high - self.x_low) * (self.right - self.left)

    def y(self, value):
        share = (math.log10(max(value, 10 ** self.bottom)) - self.bottom) / (self.top - self.bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def draw_axes(self):
        for decade in range(self.bottom, self.top):
            for digit in range(2, 10):
                y = self.y(digit * 10 ** decade)
                yield f'<path class="minor" d="M{self.left} {y:.1f}H{self.right}"/>'
        for decade in range(self.bottom, self.top + 1):
            y = self.y(10 ** decade)
            yield f'<path class="grid" d="M{self.left} {y:.1f}H{self.right}"/>'
            yield f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">{number(10 ** decade)}</text>'
        for tick in self.ticks:
            x = self.x(tick)
            yield f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
            text = f'{tick:,g}' if tick < 1000 else number(tick)
            yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>'
        yield (f'<rect class="frame" x="{self.left}" y="{TOP}" width="{self.right - self.left}" '
               f'height="{HEIGHT - TOP - BOTTOM}"/>')
        yield (f'<text x="{(self.left + self.right) / 2}" y="{HEIGHT - 12}" text-anchor="middle">'
               f'{self.labels[0]}</text>')
        x, y = self.left - 60, (TOP + HEIGHT - BOTTOM) / 2
        yield f'<text transform="translate({x} {y}) rotate(-90)" text-anchor="middle">{self.labels[1]}</text>'

    def draw_line(self, i, points):
        places = [(self.x(x), self.y(y)) for x, y in points]
        text = ' '.join(f'{x:.1f},{y:.1f}' for x, y in places)
        yield f'<polyline class="line l{i}" points="{text}"/>'
        for x, y in places:
            yield f'<circle class="point p{i}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'

    def draw(self):
        yield f'<text x="{self.left}" y="22" font-weight="bold" font-size="14">{self.title}</text>'
        yield from self.draw_axes()
        x = self.left
        for i, (name, points) in enumerate(self.lines.items()):
            yield from self.draw_line(i, points)
            yield f'<path class="line l{i}" d="M{x} 44h26"/><circle class="point p{i}" cx="{x + 13}" cy="44" r="2.5"/>'
            yield f'<text x="{x + 31}" y="48">{name}</text>'
            x += 31 + 7 * len(name) + 16


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        curves = json.load(file)
    throughput = {name: points for name, points in curves['throughput'].items() if points}
    lengths = sorted({x for points in throughput.values() for x, _ in points})
    plots = [Plot(0, 'Throughput of two workers', ('length of a task, µs (at the left: 0)', 'tasks a second'),
                  throughput, log_from_zero, lengths),
             Plot(WIDTH, 'Round trips', ('percent that take no longer', 'µs'),
                  {name: points for name, points in curves['round-trip'].items() if points}, nines,
                  [1, 50, 75, 90, 95, 99, 99.9])]
    body = '\n'.join(line for plot in plots for line in plot.draw())
    with open(sys.argv[2], 'w', encoding='utf-8') as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" '
                   f'font-family="sans-serif" font-size="11">\n<style>{STYLE}</style>\n'
                   f'<rect class="back" width="100%" height="100%"/>\n{body}\n</svg>\n')


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws what `loky-bench --curves FILE` measured: throughput over task length, and round trips.

    plot.py FILE.json FILE.svg
"""

import json
import math
import sys

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 460, 340, 64, 34, 16, 46
COLOURS = ['#1c71d8', '#e66100', '#26a269', '#813d9c']


def log(value):
    return math.log10(max(value, 0.1))


class Plot:
    """Lines over two axes, of which y, and x if @is_log, is logarithmic."""

    def __init__(self, offset, title, x_label, y_label, lines, is_log):
        self.offset, self.title, self.labels, self.lines = offset, title, (x_label, y_label), lines
        self.scale_x = log if is_log else (lambda value: value)
        points = [point for line in lines.values() for point in line]
        xs, ys = [self.scale_x(x) for x, _ in points], [log(y) for _, y in points]
        self.x_range = (min(xs), max(xs))
        self.y_range = (math.floor(min(ys)), math.ceil(max(ys)))
        self.x_ticks = sorted({x for x, _ in points}) if is_log else [0, 25, 50, 75, 99]

    def place(self, x, y):
        low, high = self.x_range
        bottom, top = self.y_range
        return (self.offset + LEFT + (self.scale_x(x) - low) / (high - low) * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - (log(y) - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM))

    def draw(self):
        out = [f'<text x="{self.offset + LEFT}" y="20" font-weight="bold">{self.title}</text>']
        for decade in range(self.y_range[0], self.y_range[1] + 1):
            x, y = self.offset + LEFT, self.place(self.lines_x(), 10 ** decade)[1]
            out.append(f'<line x1="{x}" x2="{self.offset + WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
            out.append(f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{10 ** decade:,g}</text>')
        for tick in self.x_ticks:
            x = self.place(tick, 1)[0]
            out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:g}</text>')
        for i, (name, points) in enumerate(self.lines.items()):
            places = ' '.join('{:.1f},{:.1f}'.format(*self.place(x, y)) for x, y in points)
            colour = COLOURS[i % len(COLOURS)]
            out.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>')
            out.append(f'<text x="{self.offset + LEFT + 10 + i * 96}" y="{TOP + 2}" fill="{colour}">{name}</text>')
        out.append(f'<text x="{self.offset + WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
                   f'{self.labels[0]}; up: {self.labels[1]}</text>')
        return out

    def lines_x(self):
        return next(iter(self.lines.values()))[0][0]


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        curves = json.load(file)
    lines = {name: points for name, points in curves['throughput'].items() if points}
    plots = [Plot(0, 'Tasks a second', 'length of a task in µs (left: 0)', 'tasks/s', lines, True),
             Plot(WIDTH, 'Round trips', 'percent of them', 'µs at most', curves['round-trip'], False)]
    body = '\n'.join(line for plot in plots for line in plot.draw())
    with open(sys.argv[2], 'w', encoding='utf-8') as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" '
                   f'font-family="sans-serif" font-size="11">\n'
                   f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n')


main()

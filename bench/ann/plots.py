"""
plots.py -- small SVG plots, drawn here: no library, readable on a light and on a dark page.

Text takes the colour of the page's scheme by a media query inside the file; lines have colours with enough
contrast on both, and every line is also told apart by its dash and named at its end.
"""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 74, 150, 34, 44
STYLE = """<style>
text{font:12px system-ui,sans-serif;fill:#333}.t{font-size:14px;font-weight:600}.g{stroke:#8884;stroke-width:1}
path{fill:none;stroke-width:2}.m{stroke-width:3}
@media(prefers-color-scheme:dark){text{fill:#ddd}}
</style>"""
# Of one lightness, so that they stand out from white and from black.
COLOURS = ["#d1495b", "#2e86c1", "#d68910", "#28a068", "#8e6bbf", "#17a2a2", "#b5651d", "#7f8c8d"]
DASHES = ["", "", "6 3", "2 3", "8 3 2 3", "4 4", "10 4", "1 3"]


class Axes:
    """One plot's frame: data to points on the page."""

    def __init__(self, box, xs, ys, log_y=False):
        self.left, self.top, self.width, self.height = box
        self.xs, self.ys, self.log_y, self.out = xs, ys, log_y, []

    def x(self, value):
        return self.left + (value - self.xs[0]) / (self.xs[1] - self.xs[0]) * self.width

    def y(self, value):
        low, high = self.ys
        if self.log_y:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return self.top + self.height - (value - low) / (high - low) * self.height

    def text(self, x, y, words, kind="", anchor="middle", more=""):
        self.out.append('<text x="%.1f" y="%.1f" text-anchor="%s"%s%s>%s</text>' % (
            x, y, anchor, ' class="%s"' % kind if kind else "", more, escape(words)))

    def grid(self, ticks_x, ticks_y, label_x, label_y):
        for value, words in ticks_x:
            x = self.x(value)
            self.out.append('<path class="g" d="M%.1f %.1fV%.1f"/>' % (x, self.top, self.top + self.height))
            self.text(x, self.top + self.height + 16, words)
        for value, words in ticks_y:
            y = self.y(value)
            self.out.append('<path class="g" d="M%.1f %.1fH%.1f"/>' % (self.left, y, self.left + self.width))
            self.text(self.left - 6, y + 4, words, anchor="end")
        self.text(self.left + self.width / 2, self.top + self.height + 34, label_x)
        middle = self.top + self.height / 2
        self.text(16, middle, label_y, more=' transform="rotate(-90 16 %.1f)"' % middle)

    def line(self, points, colour, dash, wide):
        if not points:
            return
        way = "L".join("%.1f %.1f" % (self.x(x), self.y(y)) for x, y in points)
        self.out.append('<path d="M%s" stroke="%s"%s%s/>' % (way, colour, ' stroke-dasharray="%s"' % dash if dash else "",
                                                            ' class="m"' if wide else ""))


def legend(out, names):
    for i, name in enumerate(names):
        y = TOP + 10 + i * 20
        x = WIDTH - RIGHT + 12
        dash = ' stroke-dasharray="%s"' % DASHES[i % 8] if DASHES[i % 8] else ""
        out.append('<path d="M%d %dh22" stroke="%s"%s/>' % (x, y, COLOURS[i % 8], dash))
        out.append('<text x="%d" y="%d">%s</text>' % (x + 28, y + 4, escape(name)))


def save(path, height, heading, parts):
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">' % (
        WIDTH, height, escape(heading, {'"': "&quot;"}))
    title = '<text x="%d" y="20" class="t">%s</text>' % (LEFT, escape(heading))
    with open(path, "w") as out:
        out.write("\n".join([head, STYLE, title] + parts + ["</svg>"]) + "\n")


def decades(low, high):
    ticks, value = [], 10 ** math.floor(math.log10(low))
    while value <= high:
        ticks += [(value * m, "{:,g}".format(value * m)) for m in (1, 2, 5) if low <= value * m <= high]
        value *= 10
    return ticks


def recall_against_speed(path, heading, curves):
    """curves: name -> [(recall, speed, ef)]. Recall's axis is that of the error: each nine as wide."""
    def place(recall):
        return -math.log10(max(1 - recall, 0.0005))
    shown = {n: [(place(r), s) for r, s, _ in points if r >= 0.8] for n, points in curves.items()}
    speeds = [s for points in shown.values() for _, s in points] or [1, 10]
    axes = Axes((LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM), (place(0.8), place(0.9995)),
                (min(speeds) * 0.9, max(speeds) * 1.1), log_y=True)
    axes.grid([(place(r), str(r)) for r in (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)], decades(*axes.ys),
              "recall@10", "queries a second, one thread")
    for i, (name, points) in enumerate(shown.items()):
        axes.line(points, COLOURS[i % 8], DASHES[i % 8], name.startswith("sluice"))
    legend(axes.out, list(shown))
    save(path, HEIGHT, heading, axes.out)


def span(values, least):
    low, high = min(values), max(values)
    room = max(least - (high - low), 0) / 2 + (high - low) * 0.05
    return low - room, high + room


def steps(low, high, count=5):
    size = 10 ** math.floor(math.log10((high - low) / count))
    size *= next(m for m in (1, 2, 5, 10) if (high - low) / (size * m) <= count)
    first = math.ceil(low / size)
    return [(i * size, "%g" % round(i * size, 6)) for i in range(first, int(high / size) + 1)]


def over_rounds(path, heading, recalls, disks):
    """Two frames, one above the other: recall, and disk as a multiple of the start's."""
    last = max(p[0] for points in recalls.values() for p in points) or 1
    parts, height = [], 230
    for frame, (label, lines, least) in enumerate((("recall@10", recalls, 0.02), ("disk / start", disks, 0.5))):
        ys = span([p[1] for points in lines.values() for p in points], least)
        axes = Axes((LEFT, TOP + frame * height, WIDTH - LEFT - RIGHT, height - 60), (0, last), ys)
        axes.grid(steps(0, last, 6), steps(*ys), "rounds" if frame else "", label)
        for i, (name, points) in enumerate(lines.items()):
            axes.line(points, COLOURS[i % 8], DASHES[i % 8], name.startswith("sluice"))
        parts += axes.out
    legend(parts, list(recalls))
    save(path, TOP + 2 * height, heading, parts)

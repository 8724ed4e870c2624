"""
report.py -- the tables of bench/embed: `write(head, rows)`. Speeds are medians over the rounds; a ratio is the median of
the ratios within each round, since what else the machine does changes from round to round.
"""
import statistics

import numpy
import page

SETS = (("16", "16 tokens"), ("106", "106 tokens"), ("256", "256 tokens"), ("mixed", "mixed"))
REFERENCE = "sentence-transformers"
PAIRS = (("sluice f32", "ONNX Runtime f32"), ("sluice bf16", "ONNX Runtime f32"), ("sluice bf16", REFERENCE),
         ("sluice int8", "ONNX Runtime int8"))


def chosen(rows, engine, name, threads):
    return sorted((r for r in rows if (r["engine"], r["set"], r["threads"]) == (engine, name, threads)), key=lambda r: r["round"])


def speed(rows, engine, name, threads, clock="seconds"):
    return statistics.median(r["texts"] / r[clock] for r in chosen(rows, engine, name, threads))


def ratio(rows, ours, peer, name, threads, clock):
    pairs = zip(chosen(rows, ours, name, threads), chosen(rows, peer, name, threads))
    return statistics.median((p[clock] / p["texts"]) / (o[clock] / o["texts"]) for o, p in pairs)


def load(path):
    if not numpy_file(path):
        values = numpy.fromfile(path, dtype=numpy.float32)
        width = int(values[:1].view(numpy.int32)[0])
        return values.reshape(-1, width + 1)[:, 1:]
    return numpy.load(path)


def numpy_file(path):
    with open(path, "rb") as f:
        return f.read(6) == b"\x93NUMPY"


def cosines(rows, engine):
    """The least cosine to the reference over all texts, and the mean."""
    found = []
    for row in rows:
        if row["engine"] == engine and row["out"]:
            other = next(r["out"] for r in rows if r["engine"] == REFERENCE and r["out"] and r["set"] == row["set"])
            a, b = load(row["out"]), load(other)
            found.append((a * b).sum(1) / numpy.linalg.norm(a, axis=1) / numpy.linalg.norm(b, axis=1))
    found = numpy.concatenate(found)
    return "%.5f" % found.min(), "%.5f" % found.mean()


def engine_names(rows):
    return list(dict.fromkeys(row["engine"] for row in rows))


def speeds(rows, clock, threads):
    table = []
    for engine in engine_names(rows):
        table.append([engine, *("%.1f" % speed(rows, engine, name, threads, clock) for name, _ in SETS)])
    return page.table(["texts/s"] + [title for _, title in SETS], table)


def ratios(rows):
    table = []
    for ours, peer in PAIRS:
        for threads in (1, 2):
            cells = ["%.2f (%.2f)" % (ratio(rows, ours, peer, name, threads, "seconds"), ratio(rows, ours, peer, name, threads, "cpu_seconds"))
                     for name, _ in SETS]
            table.append(["%s / %s, %d" % (ours, peer, threads), *cells])
    return page.table(["times as fast, threads"] + [title for _, title in SETS], table)


def questions(rows):
    table = []
    for engine in engine_names(rows):
        mine = chosen(rows, engine, "question", 1)
        wall, cpu = (1e3 * statistics.median(r[clock] / r["texts"] for r in mine) for clock in ("seconds", "cpu_seconds"))
        peak = max(r["peak_bytes"] for r in rows if r["engine"] == engine) / 2**20
        table.append([engine, "%.2f" % wall, "%.2f" % cpu, *cosines(rows, engine), "%.0f" % peak])
    return page.table(["engine", "a question, ms", "of CPU, ms", "least cosine", "mean", "peak memory, MB"], table)


def scaling(rows):
    cells = ["%s %.2f" % (engine, speed(rows, engine, "106", 2) / speed(rows, engine, "106", 1)) for engine in engine_names(rows)]
    return "Two threads beside one, 106 tokens: %s.\n" % ", ".join(cells)


def write(head, rows):
    return "\n".join([
        "%s, commit %s, %s, `%s`, %.1f minutes; load before: %.1f.\n" % (
            head["machine"], head["commit"], head["date"], head["command"].strip(), head["minutes"], head["load_before"]),
        "One thread:\n", speeds(rows, "seconds", 1), "Two threads:\n", speeds(rows, "seconds", 2), scaling(rows),
        "Ratios by the clock, and by CPU time in brackets (a library that spins while it waits is charged for that):\n",
        ratios(rows), "One question of ten tokens at a time on one thread; all texts against sentence-transformers:\n",
        questions(rows)])

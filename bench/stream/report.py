"""report.py -- the section of docs/BENCHMARKS.md that bench/stream/run makes, from the lines it left."""
import glob
import json
import os
import platform
import statistics

import page

TITLES = {"sluice-auto": "sluice auto", "sluice-int8": "sluice int8", "sluice-bf16": "sluice bf16", "sluice-f32": "sluice f32",
          "st": "Python, sentence-transformers", "ort-f32": "Python, ONNX Runtime f32",
          "ort-int8": "Python, ONNX Runtime int8"}
COLUMNS = ( # title, field, factor, digits
    ("chunks/s", "chunks_per_s", 1, 1), ("documents/s", "documents_per_s", 1, 2), ("text, MB/s", "megabytes_per_s", 1, 3),
    ("peak memory, MB", "rss_peak_bytes", 1e-6, 0), ("of it private, MB", "anon_peak_bytes", 1e-6, 0),
    ("question p50, ms", "question_p50_s", 1e3, 0), ("p99, ms", "question_p99_s", 1e3, 0),
    ("searchable p50, ms", "searchable_p50_s", 1e3, 0), ("p99, ms", "searchable_p99_s", 1e3, 0),
    ("restart to answer, s", "restart_s", 1, 2))


def cell(rows, field, factor, digits):
    values = [row[field] for row in rows if row.get(field) is not None]
    return f"{statistics.median(values) * factor:,.{digits}f}" if values else "-"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0] if names else platform.machine()}"


def section(path):
    with open(path, encoding="utf-8") as lines:
        head, *rows = [json.loads(line) for line in lines]
    out = []
    for engine in dict.fromkeys(row["engine"] for row in rows):
        mine = [row for row in rows if row["engine"] == engine]
        out.append([TITLES[engine], *(cell(mine, *column[1:]) for column in COLUMNS)])
    what = "press conferences" if head["corpus"] == "fomc" else "press conferences and Korean statutes, half and half"
    return (f"### {head['megabytes']:g} MB of {what}\n\n{processor()}, commit {head['commit']}, `{head['command'].strip()}`\n\n"
            + page.table(["", *(column[0] for column in COLUMNS)], out) + "\n")


def write(results, path):
    text = "".join(section(found) for found in sorted(glob.glob(os.path.join(results, "*.json"))))
    page.place_between(path, "bench/stream/run", text)

"""
report.py RESULTS ROOT -- the tables of docs/BENCHMARKS.md and the plots of docs/bench, from the lines that
bench/ann/run left. Medians over the alternating passes; speeds at equal recall are interpolated between the
two efs around it, on the logarithm of the speed.
"""
import json
import math
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import page
import plots

RECALLS = (0.95, 0.98, 0.99)
STORAGES = ("f32", "f16", "bf16", "i8", "bit")
ORDER = ("sluice", "sluice-i8", "sluice-bf16", "hnswlib", "faiss", "usearch", "usearch-i8", "hannoy")
TITLES = {"sluice": "sluice f32", "sluice-i8": "sluice i8", "sluice-bf16": "sluice bf16", "usearch": "usearch f32",
          "usearch-i8": "usearch i8", "hannoy-1000": "hannoy, a build every 1,000"}
SETS = {"minilm-384": "MiniLM vectors of SQuAD's passages, 384 d", "squad-lsa256": "squad-lsa256, 256 d",
        "mnist9k": "mnist9k, 784 d, L2", "squad-lsa768": "squad-lsa768, 768 d"}


def title(engine):
    return TITLES.get(engine, engine)


def read(directory, part):
    path = os.path.join(directory, part + ".json")
    if not os.path.exists(path):
        return None, []
    with open(path) as lines:
        rows = [json.loads(line) for line in lines]
    return rows[0], rows[1:]


def median(rows, name):
    values = [row[name] for row in rows if row.get(name) is not None]
    return statistics.median(values) if values else None


def curve(rows, engine):
    """[(recall, queries a second of CPU, ef)] by rising ef."""
    found = []
    efs = sorted({row["ef"] for row in rows if row["phase"] == "search" and row["engine"] == engine})
    for ef in efs:
        mine = [row for row in rows if row["phase"] == "search" and row["engine"] == engine and row["ef"] == ef]
        found.append((median(mine, "recall@10"), median(mine, "cpu_qps"), ef))
    return found


def speed_at(points, recall):
    """Interpolated; (speed, exact?): where even the least ef finds more, its speed is a lower bound."""
    before = None
    for point in points:
        if point[0] >= recall:
            if before is None or point[0] == before[0]:
                return point[1], before is not None
            share = (recall - before[0]) / (point[0] - before[0])
            return math.exp(math.log(before[1]) + share * (math.log(point[1]) - math.log(before[1]))), True
        before = point
    return None, True


def number(value, digits=0):
    return "-" if value is None else "{:,.{}f}".format(value, digits)


def multiples(points, engine, recall):
    """sluice's speeds as multiples of a peer's, f32 and i8, where both are known."""
    theirs, exact = speed_at(points[engine], recall)
    if engine.startswith("sluice") or not theirs or not exact:
        return ""
    own = [speed_at(points.get(name, []), recall) for name in ("sluice", "sluice-i8")]
    if not any(value and good for value, good in own):
        return ""
    return " (%s)" % ", ".join("%.2f" % (value / theirs) if value and good else "-" for value, good in own)


def speeds_table(points):
    rows = []
    for engine in [e for e in ORDER if e in points]:
        cells = [title(engine)]
        for recall in RECALLS:
            value, exact = speed_at(points[engine], recall)
            cells.append(("" if exact or not value else "> ") + number(value) + multiples(points, engine, recall))
        last = points[engine][-1]
        rows.append(cells + ["%.4f" % next((p[0] for p in points[engine] if p[2] == 64), 0), "%.4f at %d" % (last[0], last[2])])
    return page.table(["queries a second at recall@10 of"] + ["%.2f" % r for r in RECALLS] + ["recall at ef 64", "most"], rows)


def builds_table(rows):
    out, mine = [], None
    for engine in [e for e in ORDER + ("hannoy-1000",) if any(r["engine"] == e and r["phase"] == "build" for r in rows)]:
        builds = [r for r in rows if r["phase"] == "build" and r["engine"] == engine]
        count, seconds, cpu = builds[0]["vectors"], median(builds, "seconds"), median(builds, "cpu_seconds")
        mine = mine or (seconds, cpu)
        out.append([title(engine), number(count / seconds), number(count / cpu), "%.2f" % (seconds / mine[0]), "%.2f" % (cpu / mine[1]),
                    number(median(builds, "disk_bytes") / count), number(median(builds, "rss_bytes") / count),
                    number(median(builds, "written_bytes") / count if builds[0].get("written_bytes") else None)])
    return page.table(["one thread", "vectors/s", "per CPU s", "time / sluice's", "CPU / sluice's", "disk B/vector", "RSS B/vector",
                  "written B/insert"], out)


def compare_part(directory, docs, name):
    context, rows = read(directory, "compare-" + name)
    if not rows:
        return ""
    points = {e: curve(rows, e) for e in ORDER if any(r["engine"] == e and r["phase"] == "search" for r in rows)}
    _, more = read(directory, "hannoy-1000") if name == "minilm-384" else (None, [])
    plots.recall_against_speed(os.path.join(docs, "recall-%s.svg" % name), SETS[name], {title(e): p for e, p in points.items()})
    return "### %s\n\n%s\n![Recall against queries a second](bench/recall-%s.svg)\n\n%s\n%s\n" % (
        SETS[name], provenance(context), name, speeds_table(points), builds_table(rows + more))


def provenance(context):
    return "%s; Linux %s; commit %s; `%s`; %s; load %.1f when written.\n" % (
        context["machine"], context["kernel"], context["commit"], context["command"], context["date"], context["load"])


def churn_part(directory, docs, kind):
    context, rows = read(directory, "churn-" + kind)
    if not rows:
        return ""
    out, recalls, disks = [], {}, {}
    for engine in [e for e in ORDER if any(r["engine"] == e for r in rows)]:
        mine = [r for r in rows if r["engine"] == engine]
        rounds = [r for r in mine if r["phase"] == "churn"]
        fresh = next(r for r in mine if r["phase"] == "fresh")
        after = next((r for r in mine if r["phase"] == "churned"), rounds[-1])
        end = next((r for r in mine if r["phase"] == "end"), {})
        first = rounds[0]
        recalls[title(engine)] = [(r["round"], r["recall@10"]) for r in rounds]
        disks[title(engine)] = [(r["round"], r["disk_bytes"] / first["disk_bytes"]) for r in rounds]
        lost = after.get("unreachable", end.get("unreachable"))
        out.append([title(engine) + (" (built anew)" if engine == "faiss" else ""), "%.4f" % first["recall@10"], "%.4f" % after["recall@10"],
                    "%.4f" % fresh["recall@10"], number(lost), "%.2f" % (rounds[-1]["disk_bytes"] / first["disk_bytes"]),
                    "%.2f" % (after["cpu_us"] / fresh["cpu_us"]), number(median(rounds[1:], "rate"))])
    plots.over_rounds(os.path.join(docs, "churn-%s.svg" % kind), "Replacing 5 % a round, " + kind, recalls, disks)
    return "### %s\n\n%s\n![Recall and disk over rounds](bench/churn-%s.svg)\n\n%s\n" % (
        kind.capitalize(), provenance(context), kind,
        page.table(["ef 64", "recall, start", "end", "fresh build", "unreachable", "disk / start", "search time / fresh", "replaced/s"], out))


def threads_part(directory):
    context, rows = read(directory, "threads")
    if not rows:
        return ""
    builds = {n: [r for r in rows if r["phase"] == "build" and r["threads"] == n] for n in (1, 2)}
    found = {n: [r for r in rows if r["phase"] == "search" and r["threads"] == n] for n in (1, 2)}
    rates = {n: median(builds[n], "rate") for n in (1, 2)}
    return "### Threads\n\n%s\n%s\n" % (provenance(context), page.table(
        ["threads", "vectors/s", "ratio", "recall at ef 64"],
        [[str(n), number(rates[n]), "%.2f" % (rates[n] / rates[1]), "%.4f" % median(found[n], "recall@10")] for n in (1, 2)]))


def storages(rows):
    return [s for s in STORAGES if any(r["storage"] == s for r in rows)]


def storage_part(directory):
    context, rows = read(directory, "storage")
    if not rows:
        return ""
    out = []
    for storage in storages(rows):
        build = next(r for r in rows if r["storage"] == storage and r["phase"] == "build")
        found = {r["ef"]: r for r in rows if r["storage"] == storage and r["phase"] == "search"}
        count = build["vectors"]
        out.append([storage, number(build["disk_bytes"] / count), number(build["rss_bytes"] / count), number(build["anon_bytes"] / count),
                    number(build.get("written_per_insert")), number(count / build["cpu_seconds"])]
                   + ["%.4f / %s" % (found[ef]["recall@10"], number(found[ef]["cpu_qps"])) for ef in sorted(found)])
    efs = sorted({r["ef"] for r in rows if r["phase"] == "search"})
    return "### Storages, 384 d\n\n%s\n%s\n" % (provenance(context), page.table(
        ["per vector", "disk B", "RSS B", "of it not file", "written B", "built per CPU s"] + ["recall / QPS at ef %d" % ef for ef in efs], out))


def ingest_part(directory):
    context, rows = read(directory, "ingest")
    if not rows:
        return ""
    out = []
    for storage in storages(rows):
        of = {p: [r for r in rows if r["storage"] == storage and r.get("pass") == p] for p in ("idle", "busy", "ratio")}
        out.append([storage] + [number(median(of[p], q), 0) for p in ("idle", "busy") for q in ("p50_us", "p99_us")]
                   + ["%.2f" % median(of["ratio"], "p99_ratio"), number(median(of["busy"], "inserts_per_s"))])
    return "### Searches beside ingestion\n\n%s\n%s\n" % (provenance(context), page.table(
        ["ef 64, us", "idle p50", "idle p99", "busy p50", "busy p99", "p99 ratio", "inserts/s"], out))


def delete_part(directory):
    context, rows = read(directory, "delete")
    if not rows:
        return ""
    out = [[r["storage"], number(r["vectors"]), number(r["call_us"], 1), number(r["call_p50_us"], 1), number(r["call_p99_us"], 1),
            number(r["with_commit_us"], 1), number(r["cpu_us"], 1), str(r["unreachable"])] for r in rows]
    return "### Deletes\n\n%s\n%s\n" % (provenance(context), page.table(
        ["us", "vectors", "mean of the call", "p50", "p99", "with its share of commits", "CPU, all", "unreachable"], out))


def open_part(directory, part, heading):
    context, rows = read(directory, part)
    rows = [r for r in rows if r["phase"] == "open"]
    if not rows:
        return ""
    out = [[r["storage"] + ", after a " + r["after"], number(r["vectors"]), number(r["seconds"], 4), number(r["cpu_seconds"], 4),
            number(r["cpu_seconds"] / r["vectors"] * 1e6, 2), number(r["first_search_us"])] for r in rows]
    return "### %s\n\n%s\n%s\n" % (heading, provenance(context),
                                   page.table(["storage", "vectors", "seconds", "CPU s", "CPU s per million", "first search, us"], out))


def million_part(directory):
    context, rows = read(directory, "million")
    if not rows:
        return ""
    out = []
    for storage in storages(rows):
        mine = [r for r in rows if r["storage"] == storage]
        build = next(r for r in mine if r["phase"] == "build")
        points = [(r["recall@10"], r["cpu_qps"], r["ef"]) for r in mine if r["phase"] == "search"]
        speeds = [number(speed_at(points, recall)[0]) for recall in RECALLS]
        opened = {r["after"]: r["seconds"] for r in mine if r["phase"] == "open"}
        out.append([storage, number(build["rate"]), *speeds, number(build["disk_bytes"] / build["vectors"]),
                    number(build["rss_bytes"] / build["vectors"]), number(build.get("written_per_insert")),
                    number(opened.get("existing"), 2), number(opened.get("close"), 2)])
    return "### A million\n\n%s\n%s\n" % (provenance(context), page.table(
        ["storage", "built/s by 2 threads"] + ["QPS a thread at %.2f" % r for r in RECALLS]
        + ["disk B/vector", "RSS B/vector", "written B/insert", "open after kill, s", "after close, s"], out))


def main():
    directory, root = sys.argv[1:3]
    docs = os.path.join(root, "docs", "bench")
    os.makedirs(docs, exist_ok=True)
    text = "".join(compare_part(directory, docs, name) for name in SETS)
    text += threads_part(directory)
    text += "".join(churn_part(directory, docs, kind) for kind in ("random", "clustered", "drifting"))
    text += storage_part(directory) + ingest_part(directory) + delete_part(directory) + open_part(directory, "open", "Opening") + million_part(directory)
    page.place_between(os.path.join(root, "docs", "BENCHMARKS.md"), "bench/ann/run", text)
    print("docs/BENCHMARKS.md: %d lines" % text.count("\n"))


if __name__ == "__main__":
    main()

"""
hnswlib, faiss and usearch as engines of bench/ann/run.

    peers.py session ENGINE --base B --query Q --truth T --metric ip|l2 --m 16 --ef-construction 200
    peers.py churn ENGINE --base B --query Q --plan P.ivecs --metric ip|l2 --ef 64 ...

`session` builds once in one thread and prints a line; then each line of standard input is an ef, answered
by one line: all queries searched in one call, so that no Python runs between two searches. `churn` replays
the plan `sluice-bench churn --plan` wrote: the same vectors go out and come in, in the same order.
"""
import argparse
import json
import os
import sys
import tempfile

import numpy as np

import vectors
from vectors import Clock

K = 10


class Hnswlib:
    def __init__(self, dim, capacity, options, replace=False):
        import hnswlib
        self.replace, self.label_of, self.given = replace, {}, np.empty(0, np.int64)
        self.index = hnswlib.Index(space=options.metric, dim=dim)
        self.index.init_index(max_elements=capacity, M=options.m, random_seed=100,
                              ef_construction=options.ef_construction, allow_replace_deleted=replace)
        self.index.set_num_threads(options.threads)

    # Each coming vector gets a label of its own: one that was deleted and not yet replaced must not come
    # again, for hnswlib then forgets it when its old place is taken.
    def add(self, rows, numbers):
        labels = np.arange(len(self.given), len(self.given) + len(numbers))
        self.given = np.concatenate([self.given, np.asarray(numbers, np.int64)])
        self.label_of.update(zip(map(int, numbers), labels.tolist()))
        self.index.add_items(rows, labels, num_threads=-1, replace_deleted=self.replace)

    def remove(self, numbers):
        for number in numbers:
            self.index.mark_deleted(self.label_of.pop(int(number)))

    def search(self, queries, ef):
        self.index.set_ef(ef)
        return self.given[self.index.knn_query(queries, k=K, num_threads=-1)[0].astype(np.int64)]

    def save(self, path):
        self.index.save_index(path)

    def unreachable(self):
        """Live elements no walk can come to: those with no path over links from the entry point."""
        (state,) = self.index.__getstate__()
        count, size = state["cur_element_count"], state["size_data_per_element"]
        level0 = np.frombuffer(bytes(state["data_level0"]), np.uint8)[:count * size].reshape(count, size)
        heads = np.ascontiguousarray(level0[:, :4 * (1 + 2 * state["M"])]).view(np.uint32)
        counts, links = heads[:, 0] & 0xFFFF, heads[:, 1:]
        deleted = level0[:, 2] & 1
        seen = np.zeros(count, bool)
        front = self.upper_nodes(state)
        while len(front):
            seen[front] = True
            used = np.arange(links.shape[1]) < counts[front, None]
            front = np.unique(links[front][used])
            front = front[~seen[front]]
        return int((~seen & (deleted == 0)).sum())

    @staticmethod
    def upper_nodes(state):
        """Where a descent may enter level 0: all that links of upper levels reach from the entry."""
        lists, levels = bytes(state["link_lists"]), state["element_levels"]
        row, starts, at = state["size_links_per_element"], {}, 0
        for node in np.flatnonzero(levels[:state["cur_element_count"]]):
            starts[int(node)] = at
            at += row * int(levels[node])
        seen, stack = {int(state["enterpoint_node"])}, [int(state["enterpoint_node"])]
        while stack:
            node = stack.pop()
            for level in range(int(levels[node])):
                words = np.frombuffer(lists, np.uint32, row // 4, starts[node] + level * row)
                for other in words[1:1 + (int(words[0]) & 0xFFFF)].tolist():
                    if other not in seen:
                        seen.add(other)
                        stack.append(other)
        return np.array(sorted(seen))


class Faiss:
    def __init__(self, dim, capacity, options, replace=False):
        import faiss
        faiss.omp_set_num_threads(options.threads)
        metric = faiss.METRIC_INNER_PRODUCT if options.metric == "ip" else faiss.METRIC_L2
        self.faiss = faiss
        self.index = faiss.IndexHNSWFlat(dim, options.m, metric)
        self.index.hnsw.efConstruction = options.ef_construction
        self.labels = np.empty(0, np.int64)

    def add(self, rows, labels):
        self.index.add(rows)
        self.labels = np.concatenate([self.labels, np.asarray(labels, np.int64)])

    def search(self, queries, ef):
        self.index.hnsw.efSearch = ef
        found = self.index.search(queries, K)[1]
        return np.where(found >= 0, self.labels[found], -1)

    def save(self, path):
        self.faiss.write_index(self.index, path)


class Usearch:
    DTYPE = "f32"

    def __init__(self, dim, capacity, options, replace=False):
        from usearch.index import Index
        self.threads = options.threads
        self.index = Index(ndim=dim, metric={"ip": "ip", "l2": "l2sq"}[options.metric], dtype=self.DTYPE,
                           connectivity=options.m, expansion_add=options.ef_construction)

    def add(self, rows, labels):
        self.index.add(np.asarray(labels, np.uint64), rows, threads=self.threads)

    def remove(self, labels):
        self.index.remove(np.asarray(labels, np.uint64), threads=self.threads)

    def search(self, queries, ef):
        self.index.expansion_search = ef
        return self.index.search(queries, K, threads=self.threads).keys.astype(np.int64)

    def save(self, path):
        self.index.save(path)


class UsearchI8(Usearch):
    DTYPE = "i8"


ENGINES = {"hnswlib": Hnswlib, "faiss": Faiss, "usearch": Usearch, "usearch-i8": UsearchI8}


def say(**figures):
    print(json.dumps(figures), flush=True)


def saved_bytes(engine, directory):
    with tempfile.TemporaryDirectory(dir=directory) as place:
        path = os.path.join(place, "index")
        engine.save(path)
        return os.path.getsize(path)


def session(options):
    base, queries = vectors.read(options.base), vectors.read(options.query)
    truth = vectors.read(options.truth, np.int32)
    rss, clock = vectors.rss_bytes(), Clock()
    engine = ENGINES[options.engine](base.shape[1], len(base), options)
    engine.add(base, np.arange(len(base)))
    wall, cpu = clock.read()
    say(phase="build", vectors=len(base), seconds=round(wall, 3), cpu_seconds=round(cpu, 3),
        rate=round(len(base) / wall), rss_bytes=vectors.rss_bytes() - rss, threads=options.threads,
        disk_bytes=saved_bytes(engine, options.scratch))
    for line in sys.stdin:
        clock = Clock()
        found = engine.search(queries, int(line))
        wall, cpu = clock.read()
        say(phase="search", ef=int(line), qps=round(len(queries) / wall, 1),
            cpu_qps=round(len(queries) / cpu, 1), **{"recall@10": round(vectors.recall(found, truth), 4)})


class Churn:
    """One engine under the plan; faiss, which cannot remove, is built anew for each round that is measured."""

    def __init__(self, options, base):
        self.options, self.base, self.can_remove = options, base, options.engine != "faiss"
        self.capacity, self.engine = 0, None

    def fresh(self, live):
        engine = ENGINES[self.options.engine](self.base.shape[1], self.capacity, self.options, self.can_remove)
        engine.add(self.base[live], live)
        return engine

    def round(self, out, into, live, measured):
        if self.can_remove:
            self.engine.remove(out)
            self.engine.add(self.base[into], into)
        elif measured:
            self.engine = self.fresh(live)

    def measure(self, engine, queries, live, **more):
        clock = Clock()
        found = engine.search(queries, self.options.ef)
        wall, cpu = clock.read()
        truth = live[vectors.exact(self.base[live], queries, self.options.metric, K)]
        say(search_us=round(wall / len(queries) * 1e6, 1), cpu_us=round(cpu / len(queries) * 1e6, 1),
            disk_bytes=saved_bytes(engine, self.options.scratch),
            **{"recall@10": round(vectors.recall(found, truth), 4)}, **more)


def churn(options):
    base, queries = vectors.read(options.base), vectors.read(options.query)[:300]
    plan = vectors.read_rows(options.plan)
    run, live = Churn(options, base), set(plan[0].tolist())
    run.capacity = len(base) # more than are ever live
    clock = Clock()
    run.engine = run.fresh(plan[0])
    rate = len(plan[0]) / clock.read()[0]
    now = np.array(sorted(live))
    run.measure(run.engine, queries, now, phase="churn", round=0, rate=round(rate))
    rounds = (len(plan) - 1) // 2
    for number in range(1, rounds + 1):
        out, into = plan[2 * number - 1], plan[2 * number]
        live.difference_update(out.tolist())
        live.update(into.tolist())
        now, clock = np.array(sorted(live)), Clock()
        measured = number % options.every == 0 or number == rounds
        run.round(out, into, now, measured)
        rate = len(into) / clock.read()[0]
        if measured:
            run.measure(run.engine, queries, now, phase="churn", round=number, rate=round(rate))
    lost = run.engine.unreachable() if hasattr(run.engine, "unreachable") else None
    say(phase="end", live=len(now), unreachable=lost)
    run.measure(run.fresh(now), queries, now, phase="fresh", round=rounds)


def main():
    parser = argparse.ArgumentParser(description="an engine of bench/ann/run")
    parser.add_argument("what", choices=["session", "churn"])
    parser.add_argument("engine", choices=sorted(ENGINES))
    for name in ("base", "query", "truth", "plan", "scratch"):
        parser.add_argument("--" + name)
    parser.add_argument("--metric", choices=["ip", "l2"], default="ip")
    for name, default in (("m", 16), ("ef-construction", 200), ("ef", 64), ("threads", 1), ("every", 5)):
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    {"session": session, "churn": churn}[options.what](options)


if __name__ == "__main__":
    main()

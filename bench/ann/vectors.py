"""Vector files and figures of this process, for what runs inside the virtual environment."""
import os
import time

import numpy as np


def read(path, kind=np.float32):
    """An .fvecs or .ivecs file: rows of a length and so many 4-byte values."""
    raw = np.memmap(path, dtype=np.int32, mode="r")
    rows = raw.reshape(-1, int(raw[0]) + 1)[:, 1:]
    return np.ascontiguousarray(rows.view(np.float32) if kind is np.float32 else rows)


def read_rows(path):
    """An .ivecs file whose rows differ in length, as a list of arrays."""
    raw, rows, at = np.fromfile(path, dtype=np.int32), [], 0
    while at < len(raw):
        rows.append(raw[at + 1:at + 1 + raw[at]])
        at += 1 + raw[at]
    return rows


def write(path, rows):
    rows = np.ascontiguousarray(rows, dtype=np.int32 if rows.dtype.kind in "iu" else np.float32)
    out = np.empty((rows.shape[0], rows.shape[1] + 1), dtype=np.int32)
    out[:, 0] = rows.shape[1]
    out[:, 1:] = rows.view(np.int32)
    out.tofile(path + ".part")
    os.replace(path + ".part", path)


def exact(base, queries, metric, k):
    """Numbers of the k nearest of each query, best first, by comparing all."""
    norms = (base * base).sum(axis=1) if metric == "l2" else 0
    found = []
    for at in range(0, len(queries), 256):
        scores = queries[at:at + 256] @ base.T
        if metric == "l2":
            scores = 2 * scores - norms
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(found)


def recall(found, truth):
    """Share of the true ten that was found; rows may be padded with what is in no truth."""
    hits = sum(len(set(a[:10].tolist()) & set(b[:10].tolist())) for a, b in zip(found, truth))
    return hits / (10.0 * len(truth))


def proc_figure(file, name):
    with open("/proc/self/" + file) as lines:
        for line in lines:
            if line.startswith(name):
                return int(line.split()[1])
    return 0


def rss_bytes():
    return proc_figure("status", "VmRSS:") * 1024


class Clock:
    """Seconds by the wall and of this process's CPU since it was made."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self):
        return time.perf_counter() - self.wall, time.process_time() - self.cpu

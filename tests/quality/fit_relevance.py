#!/usr/bin/env python3
"""Fit the curves of pipeline/answer/relevance.c.

    quality_answers --figures --corpus ../shared/data/squad11-train/corpus.jsonl --every 8 \\
        --positive ../shared/data/squad11-train/queries.jsonl \\
        --negative ../shared/data/nq-oracle/queries.jsonl --half 0 [--model DIR] > figures
    quality_answers --figures --near --part 1 --corpus ... --positive ../shared/data/squad20-dev/queries.jsonl > near
    fit_relevance.py figures --near near

A line is: positive, first cover, around cover, missing, cosine, sentence cosine (-1 without vectors, or when no
sentence was encoded), kind missing. Files of near misses come after --near, and weigh NEAR of the others. Logistic
regression by Newton's method, positives and others weighing the same; prints the constant and one weight a figure, for
each curve the figures can carry.
"""
import math
import sys


def solve(matrix, right):
    size = len(right)
    rows = [matrix[i] + [right[i]] for i in range(size)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(size):
            if r != i:
                factor = rows[r][i] / rows[i][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i])]
    return [rows[i][size] / rows[i][i] for i in range(size)]


NEAR = 0.3


def fit(points):
    """points: (positive, weight, figures)"""
    size = len(points[0][2])
    weights = [0.0] * size
    for _ in range(25):
        slope = [1e-4 * w for w in weights]
        curve = [[1e-4 * (i == j) for j in range(size)] for i in range(size)]
        for positive, share, x in points:
            z = max(-30.0, min(30.0, sum(a * b for a, b in zip(weights, x))))
            chance = 1 / (1 + math.exp(-z))
            for i in range(size):
                slope[i] += share * (chance - positive) * x[i]
                for j in range(size):
                    curve[i][j] += share * chance * (1 - chance) * x[i] * x[j]
        weights = [a - b for a, b in zip(weights, solve(curve, slope))]
    return weights


def read(paths):
    """Groups of (positive, group weight, rows): each file's positives, and each file's others."""
    groups, near = [], False
    for path in paths:
        if path == "--near":
            near = True
            continue
        with open(path, encoding="utf-8") as file:
            rows = [[float(x) for x in line.split()] for line in file]
        groups.append((1, 1.0, [r[1:] for r in rows if r[0] == 1]))
        groups.append((0, NEAR if near else 1.0, [r[1:] for r in rows if r[0] == 0]))
    return groups


def report(name, groups, wanted, figures):
    points = []
    for positive, share, rows in groups:
        rows = [r for r in rows if wanted(r)]
        points += [(positive, share / len(rows), [1.0] + figures(r)) for r in rows]
    if any(p for p, _, _ in points) and any(not p for p, _, _ in points):
        print(name + ":", " ".join(f"{w:.2f}" for w in fit(points)))


def main():
    groups = read(sys.argv[1:])
    report("constant, first cover, around cover, missing, kind missing", groups, lambda r: True,
           lambda r: [r[0], r[1], r[2], r[5]])
    report("constant, first cover, around cover, cosine, kind missing", groups, lambda r: r[3] > -1,
           lambda r: [r[0], r[1], r[3], r[5]])
    report("constant, first cover, around cover, cosine, sentence cosine, kind missing", groups, lambda r: r[4] > -1,
           lambda r: [r[0], r[1], r[3], r[4], r[5]])
    report("constant, cosine, sentence cosine (another script)", groups, lambda r: r[4] > -1, lambda r: [r[3], r[4]])


if __name__ == "__main__":
    main()

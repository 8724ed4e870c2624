#!/usr/bin/env python3
"""Fit the curves of pipeline/relevance.c.

    quality_answers --figures --corpus ../shared/data/squad11-train/corpus.jsonl --every 4 \\
        --positive ../shared/data/squad11-train/queries.jsonl \\
        --negative ../shared/data/nq-oracle/queries.jsonl --half 0 [--model DIR] > figures
    fit_relevance.py figures

A line is: positive, passage cover, sentence cover, lexical share, cosine, sentence cosine (-1 without vectors, or
when no sentence was encoded). Logistic regression by Newton's method, both groups weighing the same; prints the
constant and one weight a figure, for each curve the figures can carry.
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


def fit(points):
    size = len(points[0][1])
    weights = [0.0] * size
    share = {True: 0.5 / sum(p for p, _ in points), False: 0.5 / sum(not p for p, _ in points)}
    for _ in range(25):
        slope = [1e-4 * w for w in weights]
        curve = [[1e-4 * (i == j) for j in range(size)] for i in range(size)]
        for positive, x in points:
            z = max(-30.0, min(30.0, sum(a * b for a, b in zip(weights, x))))
            chance = 1 / (1 + math.exp(-z))
            for i in range(size):
                slope[i] += share[positive] * (chance - positive) * x[i]
                for j in range(size):
                    curve[i][j] += share[positive] * chance * (1 - chance) * x[i] * x[j]
        weights = [a - b for a, b in zip(weights, solve(curve, slope))]
    return weights


def report(name, points):
    if any(p for p, _ in points) and any(not p for p, _ in points):
        print(name + ":", " ".join(f"{w:.2f}" for w in fit(points)))


def main():
    lexical, vector, meaning = [], [], []
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            positive, passage, sentence, share, cosine, sentence_cosine = (float(x) for x in line.split())
            covers = [1.0, passage, sentence]
            lexical.append((positive == 1, covers + [share]))
            if cosine > -1:
                vector.append((positive == 1, covers + [cosine]))
            if sentence_cosine > -1:
                meaning.append((positive == 1, covers + [cosine, sentence_cosine]))
    report("constant, passage cover, sentence cover, lexical share", lexical)
    report("constant, passage cover, sentence cover, cosine", vector)
    report("constant, passage cover, sentence cover, cosine, sentence cosine", meaning)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Fit the weights of pipeline/spans.c (needs torch) and print pipeline/span_weights.h.

    quality_answers --spans --corpus ../shared/data/squad11-train/corpus.jsonl --every 2 \\
        --positive ../shared/data/squad11-train/queries.jsonl --questions 4500 > spans
    fit_spans.py spans > pipeline/span_weights.h

A line is one candidate: its F1 against the accepted answers, then feature:value; an empty line ends a question. The
model is a softmax over all candidates of a question, whose mass should lie on those of high F1. SQuAD has no Korean: its
weights are set by hand, below.
"""
import sys

import torch

FEATURES, SHAPES, HANGUL, COPULA = 155, 11, 10, 152
BY_HAND = {1 * SHAPES + HANGUL: 2.0, 3 * SHAPES + HANGUL: 1.5, 6 * SHAPES + HANGUL: 1.0, 10 * SHAPES + HANGUL: 1.0,
           COPULA: 2.5}


def read(path):
    questions, current = [], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            parts = line.split()
            if parts:
                pairs = [part.split(":") for part in parts[1:]]
                current.append((float(parts[0]), [(int(a), float(b)) for a, b in pairs]))
            else:
                questions.append(current)
                current = []
    return [q for q in questions if q and max(f1 for f1, _ in q) > 0]


def tensors(questions):
    rows, columns, values, f1, group = [], [], [], [], []
    for number, question in enumerate(questions):
        for score, features in question:
            for feature, value in features:
                rows.append(len(f1))
                columns.append(feature)
                values.append(value)
            f1.append(score)
            group.append(number)
    matrix = torch.sparse_coo_tensor(torch.tensor([rows, columns]), torch.tensor(values), (len(f1), FEATURES))
    return matrix.to_sparse_csr(), torch.tensor(f1), torch.tensor(group), len(questions)


def loss(weights, matrix, f1, group, count):
    score = matrix @ weights
    top = torch.full((count,), -1e9).scatter_reduce(0, group, score.detach(), "amax")
    mass = torch.exp(score - top[group])
    total = torch.zeros(count).index_add(0, group, mass)
    good = torch.zeros(count).index_add(0, group, mass * f1 ** 2)
    return -torch.log((good + 1e-6) / total).mean() + 1e-4 * (weights * weights).sum()


def mean_f1(weights, matrix, f1, group, count):
    best = {}
    for score, value, number in zip((matrix @ weights).tolist(), f1.tolist(), group.tolist()):
        if number not in best or score > best[number][0]:
            best[number] = (score, value)
    return sum(value for _, value in best.values()) / count


def main():
    questions = read(sys.argv[1])
    train = tensors([q for i, q in enumerate(questions) if i % 5])
    held = tensors(questions[::5])
    weights = torch.zeros(FEATURES, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=80, history_size=20, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        value = loss(weights, *train)
        value.backward()
        return value

    optimizer.step(step)
    fitted = weights.detach()
    print(f"F1 train {mean_f1(fitted, *train):.4f} held out {mean_f1(fitted, *held):.4f}", file=sys.stderr)
    numbers = [BY_HAND.get(i, round(w, 2)) for i, w in enumerate(fitted.tolist())]
    print("/* Fitted by tests/quality/fit_spans.py, but for Korean what it sets by hand; in the order of enum "
          "sl_span_feature. */")
    for start in range(0, FEATURES, 11):
        print("    " + ", ".join(f"{n:.2f}f" if n else "0" for n in numbers[start:start + 11]) + ",")


if __name__ == "__main__":
    main()

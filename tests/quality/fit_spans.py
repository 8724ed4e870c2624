#!/usr/bin/env python3
"""Fit the weights of pipeline/answer/spans_features.c (needs torch) and print pipeline/answer/span_weights.h.

    quality_answers --spans --corpus ../shared/data/squad11-train/corpus.jsonl \\
        --positive ../shared/data/squad11-train/queries.jsonl --questions 8760 > spans
    fit_spans.py spans > pipeline/answer/span_weights.h

A record is one candidate: its question, its F1 against the accepted answers, features, values. The model is a softmax
over all candidates of a question, whose mass should lie on those of high F1; of every fifth question only the figures
are printed. Of the candidates without any F1 a third is read, and weighs threefold.
"""
import sys

import numpy
import torch

EACH, DECAY, ROUNDS, BATCH = 40, 3e-6, 24, 256


def read(path):
    record = numpy.dtype([("question", "<u4"), ("f1", "<f4"), ("features", "<u2", EACH), ("values", "<f4", EACH)])
    whole = numpy.memmap(path, dtype=record, mode="r")
    kept = (whole["f1"] > 0) | (numpy.arange(len(whole)) % 3 == 0) | (whole["question"] % 5 == 0)
    rows = numpy.array(whole[kept])
    share = numpy.where((rows["f1"] > 0) | (rows["question"] % 5 == 0), 1.0, 3.0)
    return rows, share.astype("float32")


def scores(weights, rows):
    features = torch.from_numpy(rows["features"].astype("int64"))
    return (weights[features] * torch.from_numpy(rows["values"])).sum(1)


def mean_f1(weights, rows):
    with torch.no_grad():
        score = scores(weights, rows).numpy()
    order = numpy.lexsort((-score, rows["question"]))
    best = order[numpy.unique(rows["question"][order], return_index=True)[1]]
    return rows["f1"][best].mean(), (rows["f1"][best] == 1).mean()


def main():
    rows, share = read(sys.argv[1])
    held = rows[rows["question"] % 5 == 0]
    starts = numpy.flatnonzero(numpy.diff(rows["question"], prepend=-1))
    ends = numpy.append(starts[1:], len(rows))
    train = [(a, b) for a, b in zip(starts, ends) if rows["question"][a] % 5 and rows["f1"][a:b].max() > 0]
    count = int(rows["features"].max()) + 1
    weights = torch.zeros(count, requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=0.05)
    generator = numpy.random.default_rng(7)
    for turn in range(ROUNDS):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - turn / ROUNDS)
        generator.shuffle(train)
        for at in range(0, len(train), BATCH):
            part = train[at:at + BATCH]
            index = numpy.concatenate([numpy.arange(a, b) for a, b in part])
            owner = torch.from_numpy(numpy.repeat(numpy.arange(len(part)), [b - a for a, b in part]))
            score = scores(weights, rows[index])
            f1 = torch.from_numpy(rows["f1"][index])
            top = torch.full((len(part),), -1e9).scatter_reduce(0, owner, score.detach(), "amax")
            mass = torch.exp(score - top[owner]) * torch.from_numpy(share[index])
            total = torch.zeros(len(part)).index_add(0, owner, mass)
            good = torch.zeros(len(part)).index_add(0, owner, mass * f1 ** 2)
            loss = -torch.log((good + 1e-6) / total).mean() + DECAY * len(part) * (weights * weights).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    fitted = weights.detach()
    print("held out of train: F1 %.4f exact %.4f" % mean_f1(fitted, held), file=sys.stderr)
    numbers = [round(w, 2) for w in fitted.tolist()]
    print("/* Fitted by tests/quality/fit_spans.py; in the order of enum sl_span_feature. */")
    for start in range(0, len(numbers), 13):
        print("    " + ", ".join(f"{n:.2f}f" if n else "0" for n in numbers[start:start + 13]) + ",")


if __name__ == "__main__":
    main()

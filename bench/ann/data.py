"""
The data sets of bench/ann/run, from SQuAD's passages and questions; each is made once and kept.

    data.py texts SHARED OUT             passages.txt, questions.txt, more.txt: lines for `sluice-bench embed`
    data.py join OUT                     minilm-50k: passages, further questions and sentences
    data.py lsa OUT                      squad-lsa768: tf-idf of the passages, truncated SVD
    data.py generate OUT COUNT           minilm-like COUNT x 384, from the distribution of the real ones
    data.py truth BASE QUERY ip|l2 TRUTH the exact 100 nearest

768 dimensions by latent semantic analysis: it is real text, needs no second model, and its spectrum falls off
as that of trained embeddings does. 1,000,000 vectors are made as mixes: each is a real vector moved
towards one of its own neighbours and then jittered with noise of the covariance of neighbours' differences,
so that local density, spectrum and hubs stay those of the data. Questions stay the real ones.
"""
import json
import os
import random
import re
import sys

import numpy as np

import vectors

QUERIES = 2000
TOTAL = 50000
PART = 20000 # rows generated at a time


def lines_of(shared, name, seen):
    for part in ("squad11-train", "squad20-dev"):
        with open(os.path.join(shared, part, name), encoding="utf-8") as rows:
            for row in rows:
                text = " ".join(json.loads(row)["text"].split())
                if text and text not in seen:
                    seen.add(text)
                    yield text


def write_lines(path, lines):
    with open(path + ".part", "w", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in lines)
    os.replace(path + ".part", path)


def sentences_of(passages):
    """Their sentences in a random order, each once."""
    parts = {part for text in passages for part in re.split(r"(?<=[.!?]) +(?=[A-Z])", text) if len(part) > 40}
    parts = sorted(parts - set(passages))
    random.Random(2).shuffle(parts)
    return parts


def texts(shared, out):
    passages = list(lines_of(shared, "corpus.jsonl", set()))
    questions = sorted(lines_of(shared, "queries.jsonl", set()))
    random.Random(1).shuffle(questions)
    write_lines(os.path.join(out, "passages.txt"), passages)
    write_lines(os.path.join(out, "questions.txt"), questions[:QUERIES])
    more = questions[QUERIES:] + sentences_of(passages)
    write_lines(os.path.join(out, "more.txt"), more[:TOTAL - len(passages)])


def join(out):
    parts = [vectors.read(os.path.join(out, name)) for name in ("minilm-384_base.fvecs", "more.fvecs")]
    rows = np.concatenate(parts)
    vectors.write(os.path.join(out, "minilm-50k_base.fvecs"), rows[np.random.default_rng(1).permutation(len(rows))])


def lsa(out):
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    with open(os.path.join(out, "passages.txt"), encoding="utf-8") as lines:
        passages = lines.read().splitlines()
    with open(os.path.join(out, "questions.txt"), encoding="utf-8") as lines:
        questions = lines.read().splitlines()
    terms = TfidfVectorizer(sublinear_tf=True, min_df=2, max_df=0.2, stop_words="english")
    weights = terms.fit_transform(passages)
    svd = TruncatedSVD(768, n_iter=3, random_state=1)
    base, queries = svd.fit_transform(weights), svd.transform(terms.transform(questions))
    for name, rows in (("base", base), ("query", queries)):
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows[norms[:, 0] > 1e-6] / norms[norms[:, 0] > 1e-6]
        vectors.write(os.path.join(out, "squad-lsa768_%s.fvecs" % name), rows[:1000] if name == "query" else rows)


def generate(out, count):
    base = vectors.read(os.path.join(out, "minilm-50k_base.fvecs"))
    rng = np.random.default_rng(1)
    near = vectors.exact(base, base[:5000], "ip", 16)
    steps = (base[near[:, 1:]] - base[:5000, None]).reshape(-1, base.shape[1])
    values, axes = np.linalg.eigh(np.cov(steps, rowvar=False))
    spread = (axes * np.sqrt(np.maximum(values, 0))) * 0.35
    near = vectors.exact(base, base, "ip", 9)[:, 1:]
    path = os.path.join(out, "minilm-1m_base.fvecs")
    with open(path + ".part", "wb") as file:
        for at in range(0, count, PART):
            size = min(PART, count - at)
            first = rng.integers(0, len(base), size)
            other = near[first, rng.integers(0, near.shape[1], size)]
            share = rng.uniform(0, 0.5, (size, 1)).astype(np.float32)
            rows = base[first] * (1 - share) + base[other] * share
            rows += (rng.standard_normal((size, base.shape[1])) @ spread.T).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            block = np.empty((size, base.shape[1] + 1), np.int32)
            block[:, 0] = base.shape[1]
            block[:, 1:] = rows.astype(np.float32).view(np.int32)
            block.tofile(file)
    os.replace(path + ".part", path)


def truth(base, query, metric, path):
    vectors.write(path, vectors.exact(vectors.read(base), vectors.read(query), metric, 100).astype(np.int32))


def main():
    what, rest = sys.argv[1], sys.argv[2:]
    if what == "generate":
        rest[1] = int(rest[1])
    {"texts": texts, "join": join, "lsa": lsa, "generate": generate, "truth": truth}[what](*rest)


if __name__ == "__main__":
    main()

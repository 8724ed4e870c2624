"""
texts.py -- the texts of bench/embed: `make(model, shared, directory, quick)` gives {set: file of lines}. Made once.

Sets of equal length are cut from abstracts, at token boundaries that are word boundaries. The mixed set is what comes
to a daemon: parts of press conferences, abstracts, passages and questions, in an order without order.
"""
import json
import os
import random

COUNTS = {"16": 640, "106": 128, "256": 48, "mixed": 160, "question": 120}


def lines_of(path, name="text"):
    with open(path, encoding="utf-8") as lines:
        return [" ".join(json.loads(line)[name].split()) for line in lines]


def cut(tokenizer, texts, length, count):
    """`count` texts of exactly `length` tokens, special ones included."""
    found, words = [], " ".join(texts).split(" ")
    at = 0
    while len(found) < count:
        taken = words[at:at + length]  # a word is a token at least
        offsets = [o for o in tokenizer.encode(" ".join(taken)).offsets if o[1] > o[0]][:length - 2]
        text = " ".join(taken)[:offsets[-1][1]]
        if len(tokenizer.encode(text).ids) == length:
            found.append(text)
        at += max(1, text.count(" "))
    return found


def mixed(shared, count):
    order = random.Random(7)
    conferences = " ".join(lines_of(os.path.join(shared, "fomc", "pressconf.jsonl"))[:4]).split(" ")
    parts, at = [], 0
    while len(parts) < count:
        length = order.choice((20, 60, 120, 220))
        parts.append(" ".join(conferences[at:at + length]))
        at += length
    kinds = [parts, lines_of(os.path.join(shared, "scifact", "corpus.jsonl")), lines_of(os.path.join(shared, "xquad-en", "corpus.jsonl")),
             lines_of(os.path.join(shared, "xquad-en", "queries.jsonl"))]
    found = [kind[i] for kind in kinds for i in range(count // len(kinds))]
    order.shuffle(found)
    return found


def make(model, shared, directory, quick):
    from tokenizers import Tokenizer
    files = {name: os.path.join(directory, name + ".txt") for name in COUNTS}
    if all(os.path.exists(path) for path in files.values()):
        return files
    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    abstracts = lines_of(os.path.join(shared, "scifact", "corpus.jsonl"))
    counts = {name: count // (3 if quick else 1) for name, count in COUNTS.items()}
    sets = {name: cut(tokenizer, abstracts, int(name), counts[name]) for name in ("16", "106", "256")}
    sets["mixed"] = mixed(shared, counts["mixed"])
    questions = [q for q in lines_of(os.path.join(shared, "xquad-en", "queries.jsonl")) if len(tokenizer.encode(q).ids) == 12]
    sets["question"] = questions[:counts["question"]]
    os.makedirs(directory, exist_ok=True)
    for name, texts in sets.items():
        with open(files[name], "w", encoding="utf-8") as f:
            f.write("".join(text + "\n" for text in texts))
    return files

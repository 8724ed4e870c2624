"""
corpus.py -- documents for the stream: press conferences of the FOMC, and Korean statutes beside them.

The evaluation data holds 1.5 MB of speech and 50 MB of statutes. More is made by writing documents again under
other keys with their sentences in another order, so that no two of them share a passage.
"""
import gzip
import json
import os
import random
import re

SHARED = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))),
                      "shared", "data")


def speeches():
    with open(os.path.join(SHARED, "fomc", "pressconf.jsonl"), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def statutes():
    with gzip.open(os.path.join(SHARED, "law-ko", "articles-30k.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def sentences(text):
    return re.split(r"(?<=[.?!])\s+", text)


def again(document, copy):
    """The same document the `copy`th time: every sentence in another place."""
    parts = sentences(document["text"])
    random.Random(copy).shuffle(parts)
    return {**document, "_id": f"{document['_id']}-{copy}", "text": " ".join(parts)}


def endless(documents):
    yield from documents
    copy = 0
    while True:
        copy += 1
        for document in documents:
            yield again(document, copy)


def backlog(megabytes, kind):
    """Documents of that many megabytes: "fomc" or, half and half, "mixed"."""
    left = int(megabytes * 1e6)
    sources = [endless(speeches())] + ([endless(statutes())] if kind == "mixed" else [])
    given = [0] * len(sources)
    while left > 0:
        least = given.index(min(given))
        document = next(sources[least])
        size = len(document["text"].encode())
        given[least] += size
        left -= size
        yield document


def trickle(count, every=50):
    """Short documents of some 150 words, every fiftieth a whole transcript; none of them was there before."""
    whole = speeches()
    rng = random.Random(7)
    for number in range(count):
        source = whole[number % len(whole)]
        if number % every == every - 1:
            yield again(source, 100_000 + number)
            continue
        parts = sentences(source["text"])
        start = rng.randrange(len(parts))
        words = " ".join(parts[start:] + parts[:start]).split()[:150]
        yield {"_id": f"note-{number}", "title": source["title"], "date": source["date"],
               "text": f"Note {number}. " + " ".join(words)}


def questions():
    """Reporters' questions, without end."""
    path = os.path.join(SHARED, "fomc-qa", "queries.jsonl")
    with open(path, encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    texts = [q.get("text") or q["query"] for q in found]
    while True:
        yield from texts

#!/usr/bin/env python3
"""Retrieval on public question sets, through `sluicectl import` and `eval`: whole documents as chunks, so that
the figures compare with published ones.

    test_eval_sets.py SLUICECTL CASE

The sets are not part of this source: they are looked for in ../shared/data beside it, the encoder in
build/models. Exit 77, a visible skip, without them.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(os.path.dirname(SOURCE), "shared", "data")
MODEL = os.path.join(SOURCE, "build", "models", "all-MiniLM-L6-v2")

# set, encoder wanted, mode -> least figures
CASES = {
    "xquad_lexical": ("xquad-en", False, {"lexical": {"ndcg@10": 0.955}}),
    "scifact_lexical": ("scifact", False, {"lexical": {"ndcg@10": 0.67, "recall@100": 0.915}}),
    "scifact_hybrid": ("scifact", True, {"lexical": {"ndcg@10": 0.67}, "vector": {"ndcg@10": 0.635},
                                         "hybrid": {"ndcg@10": 0.70}}),
    "xquad_hybrid": ("xquad-en", True, {"lexical": {}, "vector": {}, "hybrid": {}}),
}
CASES["law_versions"] = ("law-ko-temporal", False, {"lexical": {"ndcg@10": 0.80, "hit@1": 0.68}})
CASES["fomc_filtered"] = ("fomc-qa", False, {"lexical": {"recall@10": 0.78}})
CASES["fomc_dated"] = ("fomc-qa", False, {"lexical": {"ndcg@10": 0.53}})
LOSS_MAX = 0.005  # of hybrid against its better leg
CONFIG = """[kafka]
bootstrap.servers = 127.0.0.1:1
[chunk]
words = 2000
[embed]
{embed}
[index]
path = {directory}/index
map_size_max = 8G
"""


def skip(why):
    print("SKIP", why)
    sys.exit(77)


def run(sluicectl, config, command, *arguments):
    done = subprocess.run([sluicectl, command, "-c", config, "--json", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command} {arguments}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr}")
    return json.loads(done.stdout)


def asked(case, directory, queries):
    """The questions of a case: fomc-qa with its gold ranges as filters, or with the date phrase in the text."""
    if not case.startswith("fomc"):
        return queries
    path = os.path.join(directory, "queries.jsonl")
    with open(queries, encoding="utf-8") as rows, open(path, "w", encoding="utf-8") as file:
        for row in map(json.loads, rows):
            if case == "fomc_filtered":
                row["filter"] = f'date >= "{row["from"]}" and date <= "{row["to"]}"'
            else:
                row["text"] = row["dated_text"]
            file.write(json.dumps({**row, "now": row["date"]}) + "\n")
    return path


def measure(sluicectl, case, directory, data, embedded, modes):
    config = os.path.join(directory, "sluiced.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(directory=directory, embed=f"model = {MODEL}" if embedded else "backend = none"))
    imported = run(sluicectl, config, "import", "--jsonl", os.path.join(data, "corpus.jsonl"))
    print(f"imported {imported['inserted']} documents in {imported['seconds']:.1f} s")
    queries = os.path.join(data, "queries.test.jsonl")
    if not os.path.exists(queries):
        queries = os.path.join(data, "queries.jsonl")
    queries = asked(case, directory, queries)
    figures = {}
    for mode in modes:
        figures[mode] = run(sluicectl, config, "eval", "--mode", mode, "--queries", queries,
                            "--qrels", os.path.join(data, "qrels", "test.tsv"))
        print(mode, json.dumps(figures[mode]))
    return figures


def main():
    name, embedded, floors = CASES[sys.argv[2]]
    data = os.path.join(DATA, name)
    if not os.path.isdir(data):
        skip(f"{data} is not there")
    if embedded and not os.path.isdir(MODEL):
        skip(f"{MODEL} is not there; tools/fetch-model gets it")
    directory = tempfile.mkdtemp(prefix="sluice-eval-")
    try:
        figures = measure(os.path.abspath(sys.argv[1]), sys.argv[2], directory, data, embedded, floors)
    finally:
        shutil.rmtree(directory)
    faults = [f"{mode} {metric}: {figures[mode][metric]:.4f}, at least {least}"
              for mode, wanted in floors.items() for metric, least in wanted.items() if figures[mode][metric] < least]
    if "hybrid" in figures:
        better = max(figures["lexical"]["ndcg@10"], figures["vector"]["ndcg@10"])
        if figures["hybrid"]["ndcg@10"] < better - LOSS_MAX:
            faults.append(f"hybrid ndcg@10: {figures['hybrid']['ndcg@10']:.4f}, its better leg has {better:.4f}")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

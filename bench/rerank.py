#!/usr/bin/env python3
"""CPU time of a pair in the cross-encoder, beside transformers on one thread: `bench/rerank.py SLUICECTL MODEL_DIRECTORY WORK`.

The networks have random weights in the shapes of MiniLM; the tokenizer is that of MODEL_DIRECTORY. Passages are of one
length, so that padding costs the reference nothing. What counts is the time of twelve questions less that of two, over
the pairs they differ by. One JSON line a row.
"""
import json
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import sys
import time

import torch
from transformers import BertConfig, BertForSequenceClassification

HIDDEN, HEADS, WIDE, DEPTH = 384, 12, 1536, 20
FEW, MANY = 2, 12


def make_model(source, folder, layers):
    torch.manual_seed(3)
    vocabulary = (source / "vocab.txt").read_text(encoding="utf-8").splitlines()
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=HIDDEN, num_hidden_layers=layers, num_attention_heads=HEADS,
                        intermediate_size=WIDE, max_position_embeddings=512, num_labels=1)
    model = BertForSequenceClassification(config).eval()
    folder.mkdir(parents=True, exist_ok=True)
    head, blobs, at = {}, [], 0
    for name, value in model.state_dict().items():
        if value.dtype == torch.float32:
            blob = value.contiguous().numpy().tobytes()
            head[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + len(blob)]}
            blobs.append(blob)
            at += len(blob)
    text = json.dumps(head).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    kept = {key: getattr(config, key) for key in (
        "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
        "max_position_embeddings", "type_vocab_size", "layer_norm_eps")}
    (folder / "config.json").write_text(json.dumps({**kept, "model_type": "bert", "id2label": {"0": "L"}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512, "do_lower_case": True}))
    shutil.copy(source / "vocab.txt", folder / "vocab.txt")
    return model


def words_of(source):
    return [w for w in (source / "vocab.txt").read_text(encoding="utf-8").splitlines() if w.isascii() and w.isalpha() and 4 <= len(w) <= 8]


def cpu_of(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, out


def ours(ctl, work, source, layers, tokens, precision):
    draw, words = random.Random(5), words_of(source)
    folder = work / f"index-{tokens}"
    question = " ".join(words[:8])
    config = work / "cost.conf"
    config.write_text(f"[embed]\nbackend = none\nprecision = {precision}\n[index]\npath = {folder}\nmap_size_max = 1G\n[chunk]\nwords = 600\n"
                      f"[retrieve]\nmode = lexical\nduplicates = keep\nrerank = bert\nrerank_model = {work}/L{layers}\n"
                      f"rerank_depth = {DEPTH}\nrerank_deadline_ms = 60000\n")
    if not folder.exists():
        docs = work / "docs.jsonl"
        docs.write_text("".join(json.dumps({"_id": str(i), "text": words[i % 8] + " " + " ".join(
            draw.choice(words[8:]) for _ in range(tokens - 8 - 4))}) + "\n" for i in range(DEPTH)))
        subprocess.run([ctl, "import", "-c", config, "--jsonl", docs], check=True, capture_output=True)
    times = []
    for count in (FEW, MANY):
        queries, qrels = work / "q.jsonl", work / "q.tsv"
        queries.write_text("".join(json.dumps({"_id": f"q{i}", "text": question}) + "\n" for i in range(count)))
        qrels.write_text("".join(f"q{i}\t0\t1\n" for i in range(count)))
        times.append(cpu_of([ctl, "eval", "-c", config, "--queries", queries, "--qrels", qrels, "--k", "10", "--json"])[0])
    return (times[1] - times[0]) / (MANY - FEW) / DEPTH


def reference(model, tokens):
    ids = torch.randint(1000, 20000, (DEPTH, tokens))
    with torch.no_grad():
        model(ids)
        start = time.process_time()
        for _ in range(2):
            model(ids)
    return (time.process_time() - start) / 2 / DEPTH


def main():
    ctl, source, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    torch.set_num_threads(1)
    for layers in (6, 12):
        model = make_model(source, work / f"L{layers}", layers)
        for tokens in (128, 256, 512):
            row = {"layers": layers, "tokens": tokens, "transformers_ms": round(reference(model, tokens) * 1000, 2)}
            for precision in ("f32", "bf16", "int8"):
                row[precision + "_ms"] = round(ours(ctl, work, source, layers, tokens, precision) * 1000, 2)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

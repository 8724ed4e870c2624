#!/usr/bin/env python3
"""
peers.py ENGINE MODEL_DIR F32.onnx INT8.onnx -- a process that embeds files of lines with sentence-transformers, or with ONNX
Runtime (f32, int8) and the model's tokenizer, as its users do: a batch after the other, each padded to its longest.

A line on standard input is {"input": FILE, "batch": B, "threads": T, "out": FILE or null}; the answer is one line:
{"texts", "seconds", "cpu_seconds", "peak_bytes"}. Tokenizing, pooling and scaling are part of the time.
"""
import json
import os
import sys
import time

import numpy as np

LENGTH_MAX = 256


class Reference:
    def __init__(self, directory):
        import torch
        from sentence_transformers import SentenceTransformer
        self.torch = torch
        self.model = SentenceTransformer(directory, device="cpu")

    def threads(self, count):
        self.torch.set_num_threads(count)

    def embed(self, texts):
        return self.model.encode(texts, batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False)


class Onnx:
    def __init__(self, directory, path):
        import onnxruntime
        from tokenizers import Tokenizer
        self.onnxruntime, self.path, self.sessions = onnxruntime, path, {}
        self.tokenizer = Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
        self.tokenizer.enable_truncation(LENGTH_MAX)
        self.tokenizer.enable_padding()

    def threads(self, count):
        if count not in self.sessions:
            options = self.onnxruntime.SessionOptions()
            options.intra_op_num_threads = count
            self.sessions = {count: self.onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])}
        self.session = self.sessions[count]

    def embed(self, texts):
        encoded = self.tokenizer.encode_batch(texts)
        mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
        hidden, = self.session.run(None, {"input_ids": np.array([e.ids for e in encoded], dtype=np.int64), "attention_mask": mask,
                                          "token_type_ids": np.array([e.type_ids for e in encoded], dtype=np.int64)})
        vectors = (hidden * mask[:, :, None]).sum(1)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def open_engine(name, directory, plain, small):
    if name == "sentence-transformers":
        return Reference(directory)
    return Onnx(directory, small if name.endswith("int8") else plain)


def peak_bytes():
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def measure(engine, job):
    with open(job["input"], encoding="utf-8") as lines:
        texts = lines.read().splitlines()
    engine.threads(job["threads"])
    engine.embed(texts[:job["batch"]])  # to warm up
    start, cpu = time.perf_counter(), time.process_time()
    parts = [engine.embed(texts[i:i + job["batch"]]) for i in range(0, len(texts), job["batch"])]
    taken, cpu = time.perf_counter() - start, time.process_time() - cpu
    if job["out"]:
        with open(job["out"], "wb") as out:
            np.save(out, np.concatenate(parts).astype(np.float32))
    return {"texts": len(texts), "seconds": taken, "cpu_seconds": cpu,
            "peak_bytes": peak_bytes()}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes elsewhere
    engine = open_engine(*sys.argv[1:])
    for line in sys.stdin:
        print(json.dumps(measure(engine, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()

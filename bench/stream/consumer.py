"""
consumer.py -- what people write today: a Kafka consumer that cuts documents, embeds them, and keeps them in hnswlib.

    consumer.py --encoder st|ort-f32|ort-int8 --bootstrap HOST --topic DOCS --dir DIR --model DIR [--onnx FILE]

Documents are JSON with "text"; a null value deletes. Chunks of 220 words with 30 of overlap, of which the encoder
reads the first 256 tokens. Questions come on the topic `questions` and are answered on `answers` with the five
nearest chunks. Index and texts are saved at SIGTERM, and offsets after every batch. One line of JSON is written
for each event: ready, searchable (a document, with the time), ended.
"""
import argparse
import json
import os
import pickle
import resource
import signal
import sys
import time

import confluent_kafka
import hnswlib
import numpy

WORDS, OVERLAP, TOKENS, BATCH, DIM = 220, 30, 256, 32, 384


def say(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class SentenceTransformer:
    def __init__(self, model):
        import sentence_transformers
        import torch
        torch.set_num_threads(os.cpu_count())
        self.model = sentence_transformers.SentenceTransformer(model, device="cpu")

    def encode(self, texts):
        return self.model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)


class OnnxRuntime:
    def __init__(self, model, onnx):
        import onnxruntime
        import tokenizers
        self.tokenizer = tokenizers.BertWordPieceTokenizer(os.path.join(model, "vocab.txt"), lowercase=True)
        self.tokenizer.enable_truncation(TOKENS)
        self.tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count()
        self.session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self.names = {i.name for i in self.session.get_inputs()}

    def encode(self, texts):
        vectors = []
        for start in range(0, len(texts), BATCH):
            found = self.tokenizer.encode_batch(texts[start:start + BATCH])
            mask = numpy.array([f.attention_mask for f in found], dtype=numpy.int64)
            given = {"input_ids": numpy.array([f.ids for f in found], dtype=numpy.int64), "attention_mask": mask,
                     "token_type_ids": numpy.array([f.type_ids for f in found], dtype=numpy.int64)}
            rows = self.session.run(None, {n: v for n, v in given.items() if n in self.names})[0]
            mean = (rows * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
            vectors.append(mean / numpy.linalg.norm(mean, axis=1, keepdims=True))
        return numpy.concatenate(vectors)


def chunks(text):
    words = text.split()
    step = WORDS - OVERLAP
    return [" ".join(words[i:i + WORDS]) for i in range(0, max(len(words) - OVERLAP, 1), step)]


class Index:
    def __init__(self, directory):
        self.path = os.path.join(directory, "index.bin")
        self.notes = os.path.join(directory, "notes.pickle")
        self.graph = hnswlib.Index("cosine", DIM)
        self.texts, self.labels, self.next = {}, {}, 0
        if os.path.exists(self.path):
            self.graph.load_index(self.path, max_elements=1_000_000)
            with open(self.notes, "rb") as f:
                self.texts, self.labels, self.next = pickle.load(f)
        else:
            self.graph.init_index(10_000, M=16, ef_construction=200)
        self.graph.set_ef(64)

    def delete(self, key):
        for label in self.labels.pop(key, ()):
            self.graph.mark_deleted(label)
            del self.texts[label]

    def put(self, key, texts, vectors):
        self.delete(key)
        labels = list(range(self.next, self.next + len(texts)))
        self.next += len(texts)
        if self.next > self.graph.get_max_elements():
            self.graph.resize_index(self.next * 2)
        self.graph.add_items(vectors, labels)
        self.labels[key] = labels
        self.texts.update((label, (key, text)) for label, text in zip(labels, texts))

    def search(self, vector, k=5):
        if not self.texts:
            return []
        labels, distances = self.graph.knn_query(vector, k=min(k, len(self.texts)))
        return [{"doc": self.texts[label][0].decode(), "text": self.texts[label][1], "score": 1 - float(distance)}
                for label, distance in zip(labels[0], distances[0])]

    def save(self):
        self.graph.save_index(self.path)
        with open(self.notes, "wb") as f:
            pickle.dump((self.texts, self.labels, self.next), f)


class Consumer:
    """Two subscriptions in one thread: questions are looked for between any two batches of passages."""

    def __init__(self, options, encoder):
        self.encoder = encoder
        self.index = Index(options.dir)
        common = {"bootstrap.servers": options.bootstrap, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        self.documents = confluent_kafka.Consumer({**common, "group.id": "documents-" + options.topic})
        self.documents.subscribe([options.topic])
        self.questions = confluent_kafka.Consumer({**common, "group.id": "questions-" + options.topic})
        self.questions.subscribe([options.questions])
        self.producer = confluent_kafka.Producer({"bootstrap.servers": options.bootstrap, "linger.ms": 0})
        self.answers = options.answers
        self.done = 0

    def answer_waiting(self):
        records = [r for r in self.questions.consume(8, 0) if r.error() is None]
        for record in records:
            hits = self.index.search(self.encoder.encode([record.value().decode()]))
            self.producer.produce(self.answers, json.dumps({"hits": hits}), key=record.key())
        self.producer.poll(0)
        if records:
            self.questions.commit(asynchronous=True)

    def encode(self, texts):
        vectors = []
        for start in range(0, len(texts), BATCH):
            vectors.append(self.encoder.encode(texts[start:start + BATCH]))
            self.answer_waiting()
        return numpy.concatenate(vectors)

    def put(self, records):
        cut = [(record, chunks(json.loads(record.value())["text"]) if record.value() else []) for record in records]
        texts = [text for _, found in cut for text in found]
        vectors = self.encode(texts) if texts else []
        start = 0
        for record, found in cut:
            if found:
                self.index.put(record.key(), found, vectors[start:start + len(found)])
            else:
                self.index.delete(record.key())
            start += len(found)
            self.done += len(found)
            say(event="searchable", partition=record.partition(), offset=record.offset(), time=time.time(),
                chunks=self.done)

    def step(self):
        records = [r for r in self.documents.consume(BATCH, 0.01) if r.error() is None]
        if records:
            self.put(records)
            self.documents.commit(asynchronous=True)
        self.answer_waiting()

    def close(self):
        self.index.save()
        self.producer.flush()
        self.documents.close()
        self.questions.close()


def main():
    parser = argparse.ArgumentParser()
    for name in ("encoder", "bootstrap", "topic", "dir", "model", "onnx"):
        parser.add_argument("--" + name)
    parser.add_argument("--questions", default="questions")
    parser.add_argument("--answers", default="answers")
    options = parser.parse_args()
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    encoder = SentenceTransformer(options.model) if options.encoder == "st" else OnnxRuntime(options.model, options.onnx)
    consumer = Consumer(options, encoder)
    say(event="ready")
    while not stop:
        consumer.step()
    consumer.close()
    say(event="ended", rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main()

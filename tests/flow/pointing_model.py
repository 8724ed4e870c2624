"""A model directory for question answering that points where it is told: every layer adds nothing, so that a token's row
is its own vector, and the head reads off it whether the token is the one where the answer begins, or ends.
"""

import json
import os
import struct

HIDDEN, WIDE, LENGTH = 32, 64, 128
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def axis(number):
    return [float(i == number) for i in range(HIDDEN)]


def tensors(words, first, last):
    def zeros(*shape):
        return shape, [0.0] * (shape[0] * (shape[1] if len(shape) > 1 else 1))

    def norm(name):
        return {f"{name}.LayerNorm.weight": ((HIDDEN,), [1.0] * HIDDEN), f"{name}.LayerNorm.bias": zeros(HIDDEN)}

    def linear(name, rows, columns):
        return {f"{name}.weight": zeros(rows, columns), f"{name}.bias": zeros(rows)}

    layer = "bert.encoder.layer.0"
    rows = [axis(0 if word == first else 1 if word == last else 2) for word in words]
    return {
        "bert.embeddings.word_embeddings.weight": ((len(words), HIDDEN), sum(rows, [])),
        "bert.embeddings.position_embeddings.weight": zeros(LENGTH, HIDDEN),
        "bert.embeddings.token_type_embeddings.weight": zeros(2, HIDDEN),
        **norm("bert.embeddings"),
        **{name: value for part in ("query", "key", "value")
           for name, value in linear(f"{layer}.attention.self.{part}", HIDDEN, HIDDEN).items()},
        **linear(f"{layer}.attention.output.dense", HIDDEN, HIDDEN), **norm(f"{layer}.attention.output"),
        **linear(f"{layer}.intermediate.dense", WIDE, HIDDEN),
        **linear(f"{layer}.output.dense", HIDDEN, WIDE), **norm(f"{layer}.output"),
        "qa_outputs.weight": ((2, HIDDEN), axis(0) + axis(1)), "qa_outputs.bias": zeros(2),
    }


def write(folder, texts, first, last):
    """Knows the words of `texts`; answers from word `first` to word `last`, both in lower case."""
    words = SPECIALS + sorted({word for text in texts for word in text.lower().replace(".", " .").replace("?", " ?").split()})
    head, data = {}, b""
    for name, (shape, values) in tensors(words, first, last).items():
        blob = struct.pack(f"<{len(values)}f", *values)
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(blob)]}
        data += blob
    os.makedirs(folder)
    text = json.dumps(head).encode()
    files = {"model.safetensors": struct.pack("<Q", len(text)) + text + data,
             "vocab.txt": "\n".join(words) + "\n",
             "tokenizer_config.json": json.dumps({"model_max_length": LENGTH, "do_lower_case": True}),
             "config.json": json.dumps({
                 "model_type": "bert", "vocab_size": len(words), "hidden_size": HIDDEN, "num_hidden_layers": 1,
                 "num_attention_heads": 4, "intermediate_size": WIDE, "hidden_act": "gelu", "max_position_embeddings": LENGTH,
                 "type_vocab_size": 2, "layer_norm_eps": 1e-12, "architectures": ["BertForQuestionAnswering"]})}
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
    return folder

#!/usr/bin/env python3
"""Golden data for the ranking and reading heads: small random networks and what Hugging Face's transformers say of them.

    make_heads.py           writes heads/ beside this file
    make_heads.py --check   makes the scores again and compares with what is there

heads/NAME/      a model directory (config.json, vocab.txt, model.safetensors of half floats): one, two (BERT with one and
                 two labels), roberta (positions from 2, one label as it is), reader (BERT for question answering)
heads/pairs.jsonl   {"question", "passages"} a line
heads/scores.txt    "NAME score score ...": per pair line and ranking model, in order
heads/readings.txt  "start end score": byte range of the best span of whole words, and its score less that of none

Needs the packages of requirements.txt; run.sh makes an environment for them under build/.
"""
import json
import math
import pathlib
import random
import sys

import torch
from safetensors.torch import save_file
from transformers import (BertConfig, BertForQuestionAnswering, BertForSequenceClassification, BertTokenizerFast,
                          RobertaConfig, RobertaForSequenceClassification)

HERE = pathlib.Path(__file__).resolve().parent / "heads"
WORDS = ("the lamp keeper of east harbour ferry leaves every forty minutes who when is a in 1962 oil burns since dogs "
         "travel free bridge length meters tower stone sea wind clock letter night watch ##s ##ed ##ing ##er b c d e f g "
         "h i j k l m n o p q r s t u v w x y z . , ? ! ' \" ( ) - 0 1 2 3 4 5 6 7 8 9 ##0 ##1 ##2 ##3 ##4 ##5 ##6 ##7 "
         "##8 ##9 ##a ##b ##c ##d ##e ##f ##g ##h ##i ##j ##k ##l ##m ##n ##o ##p ##q ##r ##t ##u ##v ##w ##x ##y ##z")
LENGTH, HIDDEN = 64, 32
SPAN_TOKENS_MAX = 30
MARKS = ".,;:!?\"'()[]"


def vocabulary(specials):
    words = []
    for word in specials + WORDS.split():
        if word not in words:
            words.append(word)
    return words


def shape(count, positions, **more):
    return dict(vocab_size=count, hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                max_position_embeddings=positions, initializer_range=0.4, hidden_act="gelu", **more)


def round_weights(model):
    """To half floats and back, so that what is stored is what is measured."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return model.eval()


def models():
    words = vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    torch.manual_seed(7)
    one = BertForSequenceClassification(BertConfig(**shape(len(words), LENGTH), num_labels=1))
    two = BertForSequenceClassification(BertConfig(**shape(len(words), LENGTH), num_labels=2))
    reader = BertForQuestionAnswering(BertConfig(**shape(len(words), LENGTH)))
    roberta = RobertaForSequenceClassification(RobertaConfig(**shape(len(words), LENGTH + 2, type_vocab_size=1,
                                                                     pad_token_id=1), num_labels=1))
    return words, {"one": round_weights(one), "two": round_weights(two), "roberta": round_weights(roberta),
                   "reader": round_weights(reader)}


def pairs():
    draw = random.Random(11)
    plain = [w for w in WORDS.split()[:43] if not w.startswith("##")]
    for number in range(12):
        question = " ".join(draw.choice(plain) for _ in range(3 + 2 * number))
        yield {"question": question.capitalize() + "?",
               "passages": ["The " + " ".join(draw.choice(plain) + draw.choice(["", "", "", ",", ".", "s"])
                                               for _ in range(draw.randint(1, 70))) + "." for _ in range(4)]}


def cut_longest(room, a, b):
    while len(a) + len(b) > room:
        if len(a) > len(b):
            a = a[:-1]
        else:
            b = b[:-1]
    return a, b


def encode(tokenizer, roberta, question, passage):
    text = tokenizer(question, passage, truncation="longest_first", max_length=LENGTH, return_tensors="pt")
    if not roberta:
        return text
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    a = tokenizer(question, add_special_tokens=False)["input_ids"]
    b = tokenizer(passage, add_special_tokens=False)["input_ids"]
    a, b = cut_longest(LENGTH - 4, a, b)
    return {"input_ids": torch.tensor([[first] + a + [last, last] + b + [last]])}


def rank(name, model, tokenizer, question, passage):
    with torch.no_grad():
        logits = model(**encode(tokenizer, name == "roberta", question, passage)).logits[0].tolist()
    if name == "two":
        return 1 / (1 + math.exp(logits[0] - logits[1]))
    return logits[0] if name == "roberta" else 1 / (1 + math.exp(-logits[0]))


def word_of(passage, start, end):
    while start > 0 and not passage[start - 1].isspace():
        start -= 1
    while end < len(passage) and not passage[end].isspace():
        end += 1
    while end > start + 1 and passage[end - 1] in MARKS:
        end -= 1
    while end > start + 1 and passage[start] in MARKS:
        start += 1
    return start, end


def read(model, tokenizer, question, passage):
    text = tokenizer(question, passage, truncation="only_second", max_length=LENGTH, return_tensors="pt",
                     return_offsets_mapping=True)
    offsets = text.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        out = model(**text)
    starts, ends = out.start_logits[0].tolist(), out.end_logits[0].tolist()
    rows = [i for i, sequence in enumerate(text.sequence_ids(0)) if sequence == 1]
    score, s, e = max(((starts[s] + ends[e], -s, -e) for s in rows for e in rows if s <= e < s + SPAN_TOKENS_MAX))
    start, end = word_of(passage, offsets[-s][0], offsets[-e][1])
    return start, end, score - starts[0] - ends[0]


def write_models(words, made):
    for name, model in made.items():
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        config = model.config.to_dict()
        kept = {key: config[key] for key in (
            "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
            "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "model_type", "pad_token_id")}
        kept["architectures"] = [type(model).__name__]
        if name != "reader":
            kept["id2label"] = {str(i): f"LABEL_{i}" for i in range(model.config.num_labels)}
        if name == "roberta":
            kept["sbert_ce_default_activation_function"] = "torch.nn.modules.linear.Identity"
        (folder / "config.json").write_text(json.dumps(kept, indent=1) + "\n")
        (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": LENGTH, "do_lower_case": True}) + "\n")
        (folder / "vocab.txt").write_text("\n".join(words) + "\n")
        tensors = {key: value.half().contiguous() for key, value in model.state_dict().items()
                   if value.dtype == torch.float32}
        save_file(tensors, folder / "model.safetensors")


def write(folder):
    words, made = models()
    write_models(words, made)
    (HERE / "vocab.tmp").write_text("\n".join(words) + "\n")
    tokenizer = BertTokenizerFast(vocab=str(HERE / "vocab.tmp"), do_lower_case=True)
    (HERE / "vocab.tmp").unlink()
    scores, readings = [], []
    lines = list(pairs())
    for line in lines:
        for name in ("one", "two", "roberta"):
            values = [rank(name, made[name], tokenizer, line["question"], p) for p in line["passages"]]
            scores.append(name + " " + " ".join(f"{v:.6f}" for v in values))
        readings += ["%d %d %.5f" % read(made["reader"], tokenizer, line["question"], p) for p in line["passages"]]
    files = {"pairs.jsonl": "".join(json.dumps(line) + "\n" for line in lines),
             "scores.txt": "\n".join(scores) + "\n", "readings.txt": "\n".join(readings) + "\n"}
    return files


def main():
    files = write(HERE)
    if "--check" in sys.argv[1:]:
        changed = [name for name, text in files.items() if (HERE / name).read_text() != text]
        print("changed: " + ", ".join(changed) if changed else "as they were")
        sys.exit(1 if changed else 0)
    for name, text in files.items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()

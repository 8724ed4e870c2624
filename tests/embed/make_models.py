#!/usr/bin/env python3
"""Small models of every kind that is read, and what the reference code says about them.

    make_models.py --train [NAME...]   trains the tokenizers and writes models/NAME/*.json anew, then:
    make_models.py [NAME...]           writes models/NAME/{ids,points}.txt and vectors.f32 beside them
    make_models.py --check             makes those again and compares with what is there
    make_models.py --lines PRINT_IDS FILE...
                                       ids of every line of the files, from the reference and from PRINT_IDS

Weights are not kept: weights() below and test_models.c make the same ones from a tensor's name.

ids.txt      a line for each text of texts.jsonl: how many ids, and a digest of them
points.txt   "first digest" for each 4,096 code points c: of the ids of "a<c>b"
vectors.f32  vectors of every ninth text, as a question and as a passage

Needs the packages of requirements.txt (of wordllama only its arithmetic: the vectors that come with the package are not used); run_models.sh finds or makes an environment for them under build/.
"""
import argparse
import base64
import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unicodedata

import numpy
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import make_golden

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE / "models"
FILES = ["ids.txt", "points.txt", "vectors.f32"]
BLOCK = 4096
STEP = 9  # every ninth text has its vectors kept
LIMIT = 48

# ---- texts ----


def training_texts():
    rng = make_golden.random.Random(77)
    texts = [make_golden.english(rng) for _ in range(400)]
    for group in (make_golden.KOREAN, make_golden.ACCENTS, make_golden.CJK, make_golden.EMOJI):
        texts += group * 3
    return texts


def texts():
    with open(HERE / "texts.jsonl", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


# ---- weights ----


def weights(name, shape, centre, spread):
    """Numbers in [centre - spread, centre + spread) from the name alone: splitmix64 over a counter."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    count = int(numpy.prod(shape))
    with numpy.errstate(over="ignore"):
        x = numpy.uint64(seed) + (numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        x = x ^ (x >> numpy.uint64(31))
    unit = (x >> numpy.uint64(40)).astype(numpy.float32) * numpy.float32(2.0**-23) - numpy.float32(1)
    return (numpy.float32(centre) + numpy.float32(spread) * unit).reshape(shape)


def encoder_tensors(config, prefix):
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    out = {}

    def add(name, shape, centre=0.0, spread=0.3):
        out[prefix + name] = weights(name, shape, centre, spread)

    def norm(name):
        add(name + ".weight", [hidden], 1.0)
        add(name + ".bias", [hidden])

    def linear(name, rows, columns):
        add(name + ".weight", [rows, columns])
        add(name + ".bias", [rows])

    add("embeddings.word_embeddings.weight", [config["vocab_size"], hidden], 0, 1.0)
    add("embeddings.position_embeddings.weight", [config["max_position_embeddings"], hidden])
    add("embeddings.token_type_embeddings.weight", [config["type_vocab_size"], hidden])
    norm("embeddings.LayerNorm")
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}."
        for part in ("query", "key", "value"):
            linear(layer + "attention.self." + part, hidden, hidden)
        linear(layer + "attention.output.dense", hidden, hidden)
        norm(layer + "attention.output.LayerNorm")
        linear(layer + "intermediate.dense", wide, hidden)
        linear(layer + "output.dense", hidden, wide)
        norm(layer + "output.LayerNorm")
    return out


# ---- a table of replacements as SentencePiece keeps it ----


def charsmap(mapping):
    """Double-array trie over UTF-8 and the replacements behind it, in base64."""
    blob, offsets, tree = b"", {}, {}
    for source, target in mapping.items():
        if target not in offsets:
            offsets[target] = len(blob)
            blob += target.encode() + b"\0"
        node = tree
        for byte in source.encode():
            node = node.setdefault(byte, {})
        node[0] = offsets[target]
    units, used = {0: 0}, {0}

    def place(position, node):
        base = 1
        while any(base ^ byte in used for byte in node):
            base += 1
        used.update(base ^ byte for byte in node)
        units[position] |= (position ^ base) << 10
        if 0 in node:
            units[position] |= 1 << 8
            units[base] = node[0] | 1 << 31
        for byte, child in node.items():
            if byte != 0:
                units[base ^ byte] = byte
        for byte, child in node.items():
            if byte != 0:
                place(base ^ byte, child)

    place(0, tree)
    count = (max(units) | 0xFF) + 1
    trie = struct.pack(f"<{count}I", *(units.get(i, 0x80000000) for i in range(count)))
    return base64.b64encode(struct.pack("<I", len(trie)) + trie + blob).decode()


def replacements():
    out = {chr(c): " " for c in (0x9, 0xA, 0xC, 0xD, 0x85, 0xA0, 0x1680, 0x200B, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF, 0xFFFD)}
    out["\r\n"] = " "
    out.update({chr(c): "" for c in (0x1, 0x2, 0x3, 0x7, 0x8, 0xB, 0x1B, 0x7F, 0xAD, 0x200E, 0x200F)})
    for c in [*range(0xFF01, 0xFF5F), *range(0xFF66, 0xFF9E), *range(0x2460, 0x2474), *range(0x2150, 0x2180), *range(0xFB00, 0xFB07), 0x2126, 0x212B, 0xB2, 0xB3,
              0xB9, 0xBD, 0x2122, 0x338F, 0x3231, 0xFDFA, *range(0xC0, 0x180)]:
        normal = unicodedata.normalize("NFKC", chr(c))
        if normal != chr(c):
            out[chr(c)] = normal
    for pair in ("ｶﾞ", "ｷﾞ", "ｸﾞ", "カ\u3099", "e\u0301", "A\u0301", "a\u0308", "\u1112\u1161"):
        out[pair] = unicodedata.normalize("NFKC", pair)
    return out


# ---- tokenizers ----

BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
XLMR_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]


def frame(first, last, tokenizer):
    return processors.TemplateProcessing(single=f"{first} $A {last}", pair=f"{first} $A {last} $B {last}",
                                         special_tokens=[(t, tokenizer.token_to_id(t)) for t in (first, last)])


def wordpiece(lower, added=()):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=700, special_tokens=BERT_SPECIALS, show_progress=False, limit_alphabet=260)
    tokenizer.train_from_iterator(training_texts(), trainer)
    tokenizer.add_tokens(list(added))
    tokenizer.post_processor = frame("[CLS]", "[SEP]", tokenizer)
    return tokenizer


def unigram(normalizer, splitter, byte_fallback=False, count=700):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    specials = XLMR_SPECIALS + ([f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else [])
    trainer = trainers.UnigramTrainer(vocab_size=count + (256 if byte_fallback else 0), special_tokens=specials, unk_token="<unk>",
                                      show_progress=False)
    tokenizer.train_from_iterator(training_texts(), trainer)
    state = json.loads(tokenizer.to_str())
    state["model"]["byte_fallback"] = byte_fallback
    state["model"]["vocab"] = [[token, round(score, 5)] for token, score in state["model"]["vocab"]]
    state["added_tokens"] = [t for t in state["added_tokens"] if not t["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    tokenizer.post_processor = frame("<s>", "</s>", tokenizer)
    return tokenizer


def spaced():
    """As XLM-R's file has it."""
    return normalizers.Sequence([normalizers.Precompiled(base64.b64decode(charsmap(replacements()))), normalizers.Replace(Regex(" {2,}"), " ")])


ENCODERS = {
    "bert-mean": dict(kind="bert", pooling="mean", prompts={"query": "query: ", "passage": "passage: "}, tokenizer=lambda: wordpiece(True)),
    "bert-cls": dict(kind="bert", pooling="cls", prompts={"query": "Represent this sentence for searching: "}, prefix="bert.",
                     tokenizer=lambda: wordpiece(False, [AddedToken("lighthouse keeper", normalized=True), AddedToken("pier", single_word=True, normalized=False),
                                                         AddedToken("<tide>", lstrip=True, rstrip=True, normalized=False)])),
    "xlmr-mean": dict(kind="xlm-roberta", pooling="mean", prompts={}, prefix="roberta.",
                      tokenizer=lambda: unigram(spaced(), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))),
    "xlmr-cls": dict(kind="xlm-roberta", pooling="cls", prompts={"query": "q: ", "document": ""},
                     tokenizer=lambda: unigram(normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
                                               pre_tokenizers.Metaspace(prepend_scheme="first"), True)),
    "bert-unigram": dict(kind="bert", pooling="mean", prompts={"query": "query: ", "passage": "passage: "},
                         tokenizer=lambda: unigram(normalizers.Sequence([normalizers.Strip(), normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
                                                   pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True),
                                                                            pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]), count=500)),
}


def bpe():
    """As Llama's: no splitter, marks for spaces, bytes for unknown characters."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(training_texts(), trainers.BpeTrainer(vocab_size=850, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)],
                                                                      show_progress=False, limit_alphabet=150))
    state = json.loads(tokenizer.to_str())
    state["model"].update({key: json.loads(trained.to_str())["model"][key] for key in ("vocab", "merges")})
    state["added_tokens"] = [t for t in json.loads(trained.to_str())["added_tokens"] if not t["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(state))


def byte_bpe():
    """As Llama 3's: a pattern, and bytes for letters."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.train_from_iterator(training_texts(), trainers.BpeTrainer(vocab_size=600, special_tokens=["<|begin|>"], show_progress=False,
                                                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


STATICS = {
    "model2vec": dict(layout="model2vec", tokenizer=lambda: wordpiece(True)),
    "wordllama": dict(layout="wordllama", tokenizer=bpe),
    "wordllama-bytes": dict(layout="wordllama", tokenizer=byte_bpe),
}


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def write_encoder(name, plan):
    where = MODELS / name
    tokenizer = plan["tokenizer"]()
    where.mkdir(parents=True, exist_ok=True)
    state = json.loads(tokenizer.to_str())
    state.pop("decoder")
    if name == "xlmr-mean":  # as older files have it
        state["pre_tokenizer"]["pretokenizers"][1] = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
    state["truncation"] = {"direction": "Right", "max_length": 7, "strategy": "LongestFirst", "stride": 0}  # a leftover to be ignored
    write_json(where / "tokenizer.json", state)
    roberta = plan["kind"] != "bert"
    write_json(where / "config.json", {
        "model_type": plan["kind"], "architectures": ["XLMRobertaModel" if roberta else "BertModel"], "hidden_act": "gelu", "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "layer_norm_eps": 1e-5 if roberta else 1e-12,
        "max_position_embeddings": LIMIT + 2 if roberta else LIMIT, "type_vocab_size": 1 if roberta else 2, "pad_token_id": 1 if roberta else 0,
        "vocab_size": tokenizer.get_vocab_size() + 3})
    write_json(where / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": LIMIT,
                                                 "pad_token": "<pad>" if "<pad>" in tokenizer.get_vocab() else "[PAD]"})
    write_json(where / "sentence_bert_config.json", {"max_seq_length": LIMIT, "do_lower_case": False})
    write_json(where / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, "pooling_mode_cls_token": plan["pooling"] == "cls",
                                                     "pooling_mode_mean_tokens": plan["pooling"] == "mean", "include_prompt": True})
    write_json(where / "modules.json", [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
                                        for i, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")])])
    write_json(where / "config_sentence_transformers.json", {"prompts": plan["prompts"], "default_prompt_name": None})


def write_static(name, plan):
    where = MODELS / name
    tokenizer = plan["tokenizer"]()
    state = json.loads(tokenizer.to_str())
    state.pop("decoder")
    write_json(where / "tokenizer.json", state)
    if plan["layout"] == "model2vec":
        write_json(where / "config.json", {"model_type": "model2vec", "normalize": True, "max_length": 40})


def static_tensors(name, tokenizer):
    count = tokenizer.get_vocab_size()
    if name != "model2vec":
        return {"embedding.weight": weights("embedding.weight", [count, 32], 0, 1)}
    rows = count - 200
    spread = weights("mapping", [count], 0.5, 0.5)
    return {"embeddings": weights("embeddings", [rows, 32], 0, 1), "weights": weights("weights", [count], 1, 0.5),
            "mapping": (spread * numpy.float32(rows)).astype(numpy.int64)}


def static_vectors(name):
    from safetensors.numpy import save_file

    tokenizer = reference_tokenizer(MODELS / name)
    some = texts()[::STEP]
    tensors = static_tensors(name, tokenizer)
    if name == "model2vec":
        import shutil

        from model2vec import StaticModel

        with tempfile.TemporaryDirectory() as where:
            shutil.copytree(MODELS / name, where, dirs_exist_ok=True)
            save_file(tensors, pathlib.Path(where) / "model.safetensors")
            return StaticModel.from_pretrained(where).encode(some).astype("<f4")
    from wordllama.inference import WordLlamaInference

    tokenizer.add_special_tokens([AddedToken("[PAD]")])  # its padding is masked
    with numpy.errstate(invalid="ignore", divide="ignore"):
        vectors = WordLlamaInference(tensors["embedding.weight"], tokenizer).embed(some, norm=True)
    return numpy.nan_to_num(vectors).astype("<f4")


# ---- what the reference says ----


def reference_tokenizer(where):
    tokenizer = Tokenizer.from_file(str(where / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def digest(ids):
    return hashlib.sha256(struct.pack(f"<{len(ids)}I", *ids)).hexdigest()[:8]


def ids_lines(tokenizer):
    return "".join(f"{len(e.ids)} {digest(e.ids)}\n" for e in tokenizer.encode_batch(texts(), add_special_tokens=False))


def point_lines(tokenizer, end):
    lines = []
    for first in range(0, end, BLOCK):
        points = [c for c in range(first, first + BLOCK) if not 0xD800 <= c <= 0xDFFF]
        ids = []
        for encoding in tokenizer.encode_batch([f"a{chr(c)}b" for c in points], add_special_tokens=False):
            ids += [len(encoding.ids), *encoding.ids]
        lines.append(f"{first:X} {digest(ids)}\n")
    return "".join(lines)


def complete(name, plan, where):
    """A whole directory, weights and all."""
    import shutil

    from safetensors.numpy import save_file

    shutil.copytree(MODELS / name, where, dirs_exist_ok=True)
    (where / "2_Normalize").mkdir(exist_ok=True)
    config = json.loads((where / "config.json").read_text())
    prefix = plan.get("prefix", "")
    tensors = {tensor.removeprefix(prefix): values for tensor, values in encoder_tensors(config, prefix).items()}
    save_file(tensors, where / "model.safetensors", metadata={"format": "pt"})


def encoder_vectors(name, plan):
    from sentence_transformers import SentenceTransformer

    with tempfile.TemporaryDirectory() as temporary:
        where = pathlib.Path(temporary) / name
        complete(name, plan, where)
        model = SentenceTransformer(str(where), device="cpu")
        assert model.max_seq_length == LIMIT
        some = texts()[::STEP]
        question = model.encode(some, prompt=plan["prompts"].get("query", ""), normalize_embeddings=True)
        passage = model.encode(some, prompt=plan["prompts"].get("passage", plan["prompts"].get("document", "")), normalize_embeddings=True)
    return numpy.concatenate([question, passage]).astype("<f4")


def make(name, where):
    tokenizer = reference_tokenizer(MODELS / name)
    where.mkdir(parents=True, exist_ok=True)
    (where / "ids.txt").write_text(ids_lines(tokenizer))
    (where / "points.txt").write_text(point_lines(tokenizer, 0x10000 if name == "bert-unigram" else 0x110000))  # digits: there are newer ones than ours
    vectors = encoder_vectors(name, ENCODERS[name]) if name in ENCODERS else static_vectors(name)
    (where / "vectors.f32").write_bytes(vectors.tobytes())


def differences(name, made):
    wrong = [f"{name}/{file}" for file in FILES[:2] if (MODELS / name / file).read_bytes() != (made / file).read_bytes()]
    old, new = (numpy.frombuffer((where / FILES[2]).read_bytes(), "<f4") for where in (MODELS / name, made))
    if old.shape != new.shape or not numpy.allclose(old, new, atol=1e-5):
        wrong.append(f"{name}/{FILES[2]}")
    return wrong


def compare_lines(print_ids, files):
    """Every line of the files through the reference and through the program; counts the lines that differ."""
    lines = []
    for path in files:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            lines += [line.rstrip("\n") for line in file]
    lines = [line.replace("\0", "") for line in lines]
    bad = 0
    for where in sorted(path.parent for path in MODELS.glob("*/tokenizer.json")):
        expected = [" ".join(map(str, e.ids)) for e in reference_tokenizer(where).encode_batch(lines, add_special_tokens=False)]
        given = subprocess.run([print_ids, where], input="\n".join(lines) + "\n", encoding="utf-8", check=True, stdout=subprocess.PIPE).stdout.split("\n")
        differ = [i for i, line in enumerate(expected) if line != given[i]]
        print(f"{where.name}: {len(lines)} lines, {sum(len(line.split()) for line in expected)} ids, {len(differ)} lines differ")
        for i in differ[:3]:
            print(f"  {lines[i][:200]!r}\n  reference {expected[i][:200]}\n  here      {given[i][:200]}")
        bad += len(differ)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--lines", nargs="+")
    parser.add_argument("names", nargs="*", default=[*ENCODERS, *STATICS])
    arguments = parser.parse_args()
    if arguments.lines:
        return 1 if compare_lines(arguments.lines[0], arguments.lines[1:]) else 0
    if arguments.train:
        for name in arguments.names:
            if name in ENCODERS:
                write_encoder(name, ENCODERS[name])
            else:
                write_static(name, STATICS[name])
    if not arguments.check:
        for name in arguments.names:
            make(name, MODELS / name)
        return 0
    wrong = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.names:
            make(name, pathlib.Path(temporary) / name)
            wrong += differences(name, pathlib.Path(temporary) / name)
    for line in wrong:
        print(f"differs: {line}")
    print("small models: " + ("differ" if wrong else "the same"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

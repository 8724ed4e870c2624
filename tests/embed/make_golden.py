#!/usr/bin/env python3
"""Golden data for the encoder: what Hugging Face's tokenizer and sentence-transformers say.

    make_golden.py --model DIR             writes texts.jsonl, ids.txt, truncated.txt, codepoints.txt and
                                           vectors.f16 beside this file
    make_golden.py --model DIR --check     makes them again and compares with what is there

texts.jsonl      500 texts, {"kind", "text"} a line, made by texts() below
ids.txt          a line a text: its token ids, not truncated, without [CLS] and [SEP]
truncated.txt    "index: ids" of each text over the model's limit, as the model reads it, with [CLS] and [SEP]
codepoints.txt   "first sha256/64" for each 1,024 code points c: a digest of the ids of "a<c>b"
vectors.f16      500 x 384 half floats, little endian: the text's unit vector

Needs the packages of requirements.txt; run.sh makes an environment for them under build/.
"""
import argparse
import hashlib
import json
import pathlib
import random
import struct
import sys
import tempfile

import numpy

HERE = pathlib.Path(__file__).resolve().parent
FILES = ["texts.jsonl", "ids.txt", "truncated.txt", "codepoints.txt", "vectors.f16"]
BLOCK = 1024

SUBJECTS = [
    "The harbour authority", "Our night watch", "The council of Brindle Bay", "A committee of seven",
    "The lighthouse keeper", "Every ferry captain", "The water board", "A visiting engineer",
    "The town's only baker", "Nobody in the archive", "The new treasurer", "Her younger brother",
]
VERBS = [
    "postponed", "approved", "measured", "could not explain", "finally repaired", "described", "rejected",
    "photographed", "has been counting", "will publish", "forgot about", "doubled",
]
OBJECTS = [
    "the tide tables for 2031", "a budget of 4.75 million crowns", "the eastern breakwater",
    "three unanswered letters", "the interest-rate decision", "a list of 1,284 moorings",
    "the strange sound under pier 9", "next week's concert", "the map's south-western corner",
    "all but one of the lamps", "the rules on overnight parking", "its own annual report",
]
ENDINGS = [
    "because the ice came early.", "although nobody had asked.", "(see section 12.4, note 3).",
    "on 2019-07-31 at 14:05.", "in the presence of two witnesses.", "and went home.",
    "- or so the minutes say.", "despite a 0.25% rise in costs!", "; the vote was 5-2.",
    "which surprised the insurers.", "at a temperature of -3.5 C.", "without giving a reason?",
]
KOREAN = [
    "항만청은 2031년 조석표 발표를 다음 달로 미루었다.", "등대지기는 밤마다 지나가는 배를 세었다.",
    "위원회는 예산 475만 원을 만장일치로 승인했습니다.", "동쪽 방파제는 지난 겨울 폭풍에 무너졌다.",
    "시장님, 이 문제를 언제 해결하실 겁니까?", "기준금리를 0.25%포인트 올리기로 결정하였다.",
    "제12조(임기) 위원의 임기는 3년으로 한다.", "그녀의 남동생은 빵집에서 일한다.",
    "\"조용히 하세요!\"라고 선장이 말했다.", "얼음이 일찍 와서 모두 집으로 돌아갔다.",
    "보고서 4쪽을 참고하십시오 (2019. 7. 31.).", "아무도 그 소리를 설명하지 못했다.",
    "새 회계 담당자는 숫자를 두 번 확인했다.", "ㅋㅋㅋ 정말요? ㅠㅠ", "첫째, 둘째, 그리고 셋째.",
]
ACCENTS = [
    "Café crème à l'œuf, s'il vous plaît.", "Où est l'hôtel où Zoë a séjourné en été ?",
    "Die Straße nach Würzburg führt über Öhringen; größer geht's nicht.", "El niño comió piñas en Logroño: ¡qué día!",
    "Čeština má háčky: příliš žluťoučký kůň úpěl ďábelské ódy.", "Łódź, Gdańsk, Kraków i zażółć gęślą jaźń",
    "İstanbul'da ılık bir gün, ağaçlar yeşil.", "Ångström, smörgåsbord, fjære og blåbær",
    "Tiếng Việt có nhiều dấu: trời đất ơi, thế à?", "A\u0301e\u0301i\u0301o\u0301u\u0301 decomposed beside áéíóú composed",
    "naïve façade, coöperate, résumé vs resume", "Ελληνικά: καλημέρα κόσμε, τί κάνεις;",
    "Съешь ещё этих мягких французских булок, да выпей же чаю.", "Їжак і ґудзик, ёлка и йод",
    "שָׁלוֹם עֲלֵיכֶם", "السَّلَامُ عَلَيْكُمْ يا صديقي", "हिन्दी में लिखा हुआ वाक्य।", "ภาษาไทยไม่มีช่องว่าง",
    "ẞ ß ſ ﬁ ﬂ Ǆ ǆ ŉ K Å Ω", "\u1e9b\u0323 \u0130I\u0131i \u03a3\u03c3\u03c2 \u0345",
]
CJK = [
    "中央银行决定提高利率。", "東京の港で灯台守が船を数えた。", "臺灣的夜市很熱鬧,人山人海!", "ひらがなとカタカナと漢字の混ざった文",
    "カ\u3099ギグゲゴ and ｶﾞｷﾞｸﾞ", "「引用」、『二重』・中黒…", "一二三四五六七八九十百千万億", "混合text中英文mixed在一起without空格",
    "𠀀𠀁𠮷野家 𪜀 𫝀 𫠠 𬺰 𰀀", "豈更車 丽丸乁", "㈱ ㎏ ℃ № ™ ① Ⅷ ½", "ＦＵＬＬ　ＷＩＤＴＨ　ｔｅｘｔ　１２３",
    "漢字 kanji 漢字kanji漢字 3月14日", "〇〇 々 〆 ヶ", "ﾊﾝｶｸ ｶﾀｶﾅ",
]
EMOJI = [
    "Great work! 👍👍🏽 see you at 🕗", "👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 🇰🇷🇺🇸 flags", "☕ + 🥐 = ❤️", "😀😃😄😁 ends with emoji 🎉",
    "keycaps 1️⃣2️⃣3️⃣ and # *️⃣", "no🙂spaces🙃between", "✓ ✗ ★ ☆ → ← ⇒ ∞ ≠ ≤ ≥ ± × ÷", "🫠🫡🪿🫨 newer ones", "🧑🏿‍🚀", "text ︎ and emoji ️ selectors",
]
CONTROLS = [
    "tab\tnewline\nreturn\rform\ffeed\vvertical", "zero\u200bwidth\u200cjoin\u200der and \ufeffBOM inside",
    "bell\u0007 backspace\b escape\u001b[31mred\u001b[0m delete\u007f", "soft\u00adhyphen and no\u00a0break space",
    "line\u2028separator paragraph\u2029separator next\u0085line", "\u202eright to left override\u202c \u2066isolate\u2069",
    "replacement \ufffd char and \ufffe\uffff noncharacters", "private \ue000\uf8ff use \U000f0000 and \U0010fffd",
    "\u0001\u0002\u0003\u0004", "thin\u2009hair\u200aideographic\u3000ogham\u1680narrow\u202fmath\u205f.",
    "unit\u001fseparator group\u001drecord\u001efile\u001c", "mongolian\u180evowel", "\u061carabic letter mark", "\ufff9inter\ufffaanno\ufffbtation", "tag \U000e0041\U000e007f chars",
]
SPECIAL = [
    "", " ", "\n\n\t ", "\u3000", "\u200b", ".", "...", "a", "I", "é", "한", "中", "👍", "\u0301", "[CLS]", "[SEP] in the middle [SEP]",
    "[MASK]ed[PAD][UNK] tokens [cls] [ MASK ] [[CLS]]", "##ing ##s ## #", "[unused0] [unused1]", "'s n't 're", "don't can't won't it's o'clock",
    "http://example.com/a/b?c=d&e=%20f#g", "user.name+tag@example.co.kr", "C:\\Users\\name\\file.txt", "$100.50 €20 £3 ¥400 ₩5,000 10%", "1,234,567.89 -0.5 1e-10 0xFF 3.14159",
    "2015-12-16T14:30:00Z", "x^2 + y_1 = {a|b} <c> ~d~ `e`", "snake_case camelCase kebab-case SCREAMING_CASE", "A.B.C. U.S.A. e.g. i.e. Ph.D.", "“curly” ‘quotes’ «guillemets» „low“ –—― dashes…", "¿¡§¶†‡•‰‹›", "¹²³ ⁴⁵ H₂O x₁", "\u2f00\u2f01 \u2e80 radicals", "\u1100\u1161\u11a8 jamo and 각", "힣ퟀ ㄱㅏ", "𝐛𝐨𝐥𝐝 𝕕𝕠𝕦𝕓𝕝𝕖 𝓼𝓬𝓻𝓲𝓹𝓽", "Ｈｅｌｌｏ", "ˈfəʊnɛtɪks ʃ ʒ ŋ", "\u0958\u0959 \u0f43 \u2adc \ufb1d",
]


def long_texts(rng):
    """Very long words, and texts over the limit."""
    words = ["a" * 99, "a" * 100, "a" * 101, "Z" * 5000, "é" * 100, "e\u0301" * 100, "é" * 101, "한" * 33, "한" * 34, "가" * 50, "각" * 33 + "가", "각" * 34]
    out = [("long-word", word) for word in words]
    out += [("long-word", f"before {word} after") for word in words[2:6]]
    out += [("long-word", "pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism"),
            ("long-word", "abc-" * 60), ("long-word", "😀" * 150), ("long-word", "1234567890" * 12), ("long-word", "x" * 50 + "\u200b" * 80 + "y" * 50),
            ("long-word", "Donaudampfschifffahrtsgesellschaftskapitän"), ("long-word", "_" * 300), ("long-word", "中" * 120)]
    for _ in range(14):
        out.append(("over-limit", " ".join(english(rng) for _ in range(rng.randint(16, 45)))))
    for _ in range(5):
        out.append(("over-limit", " ".join(rng.choice(KOREAN) for _ in range(rng.randint(9, 25)))))
    # at the limit exactly, and one to each side
    out += [("over-limit", " ".join(["tide"] * n)) for n in (253, 254, 255, 256, 257, 512, 600)]
    out.append(("over-limit", "".join(rng.choice("漢字仮名交文") for _ in range(400))))
    return out


def english(rng):
    return " ".join([rng.choice(SUBJECTS), rng.choice(VERBS), rng.choice(OBJECTS), rng.choice(ENDINGS)])


def random_text(rng):
    """Code points from everywhere, in runs, with spaces between."""
    ranges = [(0x20, 0x7E), (0xA0, 0x17F), (0x180, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0xE00, 0xFFF),
              (0x1100, 0x11FF), (0x1E00, 0x20CF), (0x2100, 0x2BFF), (0x3000, 0x318F), (0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFFEF), (0x10000, 0x1F9FF), (0x20000, 0x2FA1F)]
    out = []
    for _ in range(rng.randint(2, 9)):
        first, last = rng.choice(ranges)
        out.append("".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 7))))
    return " ".join(out)


def texts():
    rng = random.Random(20311)
    out = [("special", text) for text in SPECIAL] + long_texts(rng)
    for kind, group in (("korean", KOREAN), ("accents", ACCENTS), ("cjk", CJK), ("emoji", EMOJI), ("controls", CONTROLS)):
        out += [(kind, text) for text in group]
    groups = [KOREAN, ACCENTS, CJK, EMOJI, CONTROLS, SPECIAL[10:]]
    while len(out) < 270:  # two or three kinds in one text
        parts = [rng.choice(rng.choice(groups)) if rng.random() < 0.6 else english(rng) for _ in range(rng.randint(2, 3))]
        out.append(("mixed", rng.choice([" ", "\n", ""]).join(parts)))
    while len(out) < 320:
        out.append(("random", random_text(rng)))
    while len(out) < 500:
        out.append(("english", " ".join(english(rng) for _ in range(rng.choice([1, 1, 1, 2, 3, 5])))))
    assert len(out) == 500
    return out


def backend(model):
    tokenizer = model.tokenizer.backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def codepoint_digests(tokenizer):
    lines = []
    for first in range(0, 0x110000, BLOCK):
        points = [c for c in range(first, first + BLOCK) if not 0xD800 <= c <= 0xDFFF]
        digest = hashlib.sha256()
        for encoding in tokenizer.encode_batch([f"a{chr(c)}b" for c in points], add_special_tokens=False):
            digest.update(struct.pack(f"<{len(encoding.ids) + 1}I", len(encoding.ids), *encoding.ids))
        lines.append(f"{first:X} {digest.hexdigest()[:16]}\n")
    return "".join(lines)


def make(model_path, where):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(model_path), device="cpu")
    limit = model.max_seq_length
    pairs = texts()
    plain = [text for _, text in pairs]
    vectors = model.encode(plain, batch_size=16, convert_to_numpy=True, normalize_embeddings=True)
    tokenizer = backend(model)
    full = [encoding.ids for encoding in tokenizer.encode_batch(plain, add_special_tokens=False)]
    tokenizer.enable_truncation(limit)
    cut = [encoding.ids for encoding in tokenizer.encode_batch(plain)]
    tokenizer.no_truncation()
    (where / "texts.jsonl").write_text(
        "".join(json.dumps({"kind": kind, "text": text}, ensure_ascii=False) + "\n" for kind, text in pairs), encoding="utf-8")
    (where / "ids.txt").write_text("".join(" ".join(map(str, ids)) + "\n" for ids in full))
    (where / "truncated.txt").write_text("".join(
        f"{i}: {' '.join(map(str, ids))}\n" for i, ids in enumerate(cut) if len(full[i]) + 2 > limit))
    (where / "codepoints.txt").write_text(codepoint_digests(tokenizer))
    (where / "vectors.f16").write_bytes(vectors.astype("<f2").tobytes())


def check(made):
    """What is committed against what was just made; returns complaints."""
    wrong = [name for name in FILES[:-1] if (HERE / name).read_bytes() != (made / name).read_bytes()]
    old, new = (numpy.frombuffer((where / FILES[-1]).read_bytes(), "<f2").astype("f4").reshape(500, -1) for where in (HERE, made))
    cosine = (old * new).sum(1) / numpy.linalg.norm(old, axis=1) / numpy.linalg.norm(new, axis=1)
    if cosine.min() < 0.99999:
        wrong.append(f"{FILES[-1]}: cosine {cosine.min():.6f} at text {cosine.argmin()}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if not arguments.check:
        make(arguments.model, HERE)
        return 0
    with tempfile.TemporaryDirectory() as where:
        make(arguments.model, pathlib.Path(where))
        wrong = check(pathlib.Path(where))
    for line in wrong:
        print(f"differs: {line}")
    print("golden data: " + ("differs" if wrong else "the same"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

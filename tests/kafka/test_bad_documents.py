"""Every kind of unusable document: a typed dead letter, nothing stalled, nothing lost.

The names B1.. are those of the table of inputs in docs/TESTING.md.
"""

import hashlib
import json

import sluice_test

LETTER_BYTES_MAX = 1000000
GOOD = "The good document speaks of a walrus on the ice."


def text_of(value):
    return json.dumps({"text": value})


# name, value, reasons allowed. Keys are given by the test unless the row has its own.
BAD = [
    ("B1 empty value", b"", {"empty_value"}),
    ("B5 trailing garbage", b'{"text":"a walrus"}xyz', {"trailing_data"}),
    ("B5 two documents", b'{"text":"a"} {"text":"b"}', {"trailing_data"}),
    ("B6 duplicate key", b'{"text":"one","text":"two"}', {"duplicate_key"}),
    ("B6 duplicate key, escaped", b'{"text":"one","te\\u0078t":"two"}', {"duplicate_key"}),
    ("B7 Text is not text", b'{"Text":"a walrus"}', {"no_text", "bad_field", "missing_text"}),
    ("B8 escaped NUL", b'{"text":"a\\u0000b"}', {"nul_in_string"}),
    ("B9 raw NUL in JSON", b'{"text":"a\0b"}', {"nul_in_string", "control_in_string"}),
    ("B10 FF FE", b'{"text":"\xff\xfe"}', {"bad_utf8"}),
    ("B10 overlong", b'{"text":"\xc0\xaf"}', {"bad_utf8"}),
    ("B10 surrogate in UTF-8", b'{"text":"\xed\xa0\x80"}', {"bad_utf8"}),
    ("B10 plain text", b"walrus \xff\xfe walrus", {"bad_utf8"}),
    ("B10 cut", b"walrus \xe2\x82", {"bad_utf8"}),
    ("B11 lone surrogate", b'{"text":"a\\ud800b"}', {"bad_utf8", "bad_json", "lone_surrogate"}),
    ("B12 raw newline in a string", b'{"text":"a\nb"}', {"control_in_string"}),
    ("B14 leading zero", b'{"text":"a","n":0123}', {"bad_json", "bad_number"}),
    ("B14 no digit after the point", b'{"text":"a","n":1.}', {"bad_json", "bad_number"}),
    ("B14 plus", b'{"text":"a","n":+1}', {"bad_json", "bad_number"}),
    ("B14 minus alone", b'{"text":"a","n":-}', {"bad_json", "bad_number"}),
    ("B14 NaN", b'{"text":"a","n":NaN}', {"bad_json", "bad_number"}),
    ("B14 Infinity", b'{"text":"a","n":Infinity}', {"bad_json", "bad_number"}),
    ("B15 1e999", b'{"text":"a","n":1e999}', {"number_range"}),
    ("B16 2^53 + 1", b'{"text":"a","version":9007199254740993}', {"number_range"}),
    ("B17 nesting 33", b'{"text":"a","n":' + b"[" * 33 + b"]" * 33 + b"}", {"too_deep"}),
    ("B17 nesting 100000", b"{\"a\":" + b"[" * 100000, {"too_deep"}),
    ("B18 a million zeros", b'{"text":"a","n":[' + b"0," * 1000000 + b"0]}", {"too_many_tokens"}),
    ("B19 members", json.dumps({"text": "a", **{f"m{i}": i for i in range(1500)}}).encode(),
     {"too_many_members", "too_many_tokens"}),
    ("B21 white space", text_of("  \n\t "), {"no_text"}),
    ("B21 zero width", text_of("\u200b\u200b\ufeff"), {"no_text"}),
    ("B21 plain white space", b" \n ", {"no_text"}),
    ("text is a number", b'{"text":7}', {"bad_field"}),
    ("not JSON", b'{"text":', {"bad_json"}),
]


class BadDocuments(sluice_test.Case):
    def dead_letters(self, daemon, count):
        return daemon.client.consume("docs.dlq", count=count, seconds=30)

    def test_each_has_its_reason_and_stops_nobody(self):
        daemon = self.daemon(self.mock())
        records = []
        for i, (name, value, _) in enumerate(BAD):
            records.append({"topic": "docs", "partition": i % 2, "key": f"bad {i} {name}", "value": value,
                            "headers": [("trace", b"\x00\x01"), ("trace", b"second")]})
            records.append({"topic": "docs", "partition": i % 2, "key": f"good {i}",
                            "value": f"{GOOD} It is number {i}."})
        placed = daemon.client.produce_many(records)
        daemon.wait_applied()

        letters = {letter.key: letter for letter in self.dead_letters(daemon, len(BAD))}
        for i, (name, value, reasons) in enumerate(BAD):
            with self.subTest(name):
                letter = letters.get(f"bad {i} {name}".encode())
                self.assertIsNotNone(letter, "no dead letter")
                self.check_letter(letter, records[2 * i], placed[2 * i], reasons)
        documents = daemon.export()
        self.assertEqual(sorted(documents), sorted(f"good {i}" for i in range(len(BAD))))
        # Every one counted, under its reason.
        self.assertEqual(daemon.metric("sluice_dlq_records_total", None), len(BAD))
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")

    def check_letter(self, letter, record, place, reasons):
        value = record["value"] if isinstance(record["value"], bytes) else record["value"].encode()
        if len(value) > LETTER_BYTES_MAX:  # more than a broker takes by default: its digest in place of it
            self.assertIsNone(letter.value)
            self.assertEqual(letter.header("sluice-value-bytes"), str(len(value)).encode())
            self.assertEqual(letter.header("sluice-value-sha256"), hashlib.sha256(value).hexdigest().encode())
        else:
            self.assertEqual(letter.value, value)
        self.assertEqual([h for h in letter.headers if h[0] == "trace"],
                         [("trace", b"\x00\x01"), ("trace", b"second")])
        reason = letter.header("sluice-reason").decode()
        self.assertIn(reason, reasons)
        partition, offset = place
        for name, wanted in [("topic", "docs"), ("partition", str(partition)), ("offset", str(offset)),
                             ("connector.name", "sluice"), ("exception.class.name", "sluice." + reason)]:
            self.assertEqual(letter.header("__connect.errors." + name), wanted.encode(), name)
        for name in ("task.id", "stage", "class.name", "exception.message"):
            self.assertTrue(letter.header("__connect.errors." + name), name)
        self.assertTrue(letter.header("sluice-dlq-id"))
        self.assertTrue(letter.header("sluice-attempts").isdigit())

    def test_keys(self):
        """B3, B4: no key and an empty key are refused; long and binary keys are as good as any."""
        daemon = self.daemon(self.mock())
        client = daemon.client
        client.produce("docs", None, "A document without a key.")
        client.produce("docs", b"", "A document with an empty key.")
        long_key = b"k" * 100000
        client.produce("docs", long_key, "The pelican has a long key.")
        client.produce("docs", long_key + b"2", "The flamingo has a long key too.")
        client.produce("docs", b"nul\0inside", "The kingfisher has a NUL in its key.")
        client.produce("docs", b"\xff\xfe", "The puffin has a key that is no text.")
        daemon.wait_applied()
        reasons = sorted(letter.header("sluice-reason").decode() for letter in self.dead_letters(daemon, 2))
        self.assertEqual(reasons, ["empty_key", "null_key"])
        for bird in ("pelican", "flamingo", "kingfisher", "puffin"):
            self.assertIn(bird, daemon.answer(f"What does the {bird} have?")["answer"], bird)
        # The long keys are told apart: deleting one leaves the other.
        client.produce("docs", long_key, None)
        daemon.wait_applied()
        self.assertEqual(daemon.answer("What does the pelican have?")["status"], "not_found")
        self.assertIn("flamingo", daemon.answer("What does the flamingo have?")["answer"])
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")

    def test_null_key_keeps_its_nulls(self):
        """What was null stays null in the dead letter, and what was empty stays empty."""
        daemon = self.daemon(self.mock())
        daemon.client.produce("docs", None, None)
        daemon.client.produce("docs", b"k", b"")
        letters = {letter.header("sluice-reason"): letter for letter in self.dead_letters(daemon, 2)}
        self.assertEqual((letters[b"null_key"].key, letters[b"null_key"].value), (None, None))
        self.assertEqual((letters[b"empty_value"].key, letters[b"empty_value"].value), (b"k", b""))

    def test_what_only_looks_bad(self):
        """B13, B28 and other oddities that must be applied."""
        daemon = self.daemon(self.mock())
        fine = {
            b"bom": b'\xef\xbb\xbf{"text":"The bom document speaks of a lynx."}',
            b"surrogates": b'{"text":"The paired one speaks of a badger \\ud83e\\udda1."}',
            b"escaped": b'{"text":"The escaped one\\nspeaks of an otter\\t."}',
            b"deep": b'{"text":"The nested one speaks of a beaver.","n":[1,2,3]}',
            b"braces": b"[not json] speaks of a marten.",
            b"odd": "The odd one \u202e speaks of a stoat. e\u0301 \U000e0041".encode(),
        }
        for key, value in fine.items():
            daemon.client.produce("docs", key, value)
        for key, timestamp in ((b"t-max", 253402300799000), (b"t-1", 1)):
            daemon.client.produce("docs", key, f"The ferret of {key.decode()}.", timestamp=timestamp)
        daemon.wait_applied()
        self.assertEqual(self.dead_letters(daemon, 0), [])
        self.assertEqual(sorted(daemon.export()), sorted(k.decode() for k in [*fine, b"t-max", b"t-1"]))
        for words, animal in (("bom document", "lynx"), ("paired one", "badger"), ("escaped one", "otter"),
                              ("nested one", "beaver"), ("not json", "marten")):
            self.assertIn(animal, daemon.answer(f"Which {words} speaks of a {animal}?")["answer"], animal)

    def test_content_types(self):
        daemon = self.daemon(self.mock())
        client = daemon.client
        client.produce("docs", b"strange", "x", [("content-type", "application/x-unheard-of")])
        client.produce("docs", b"json-said", '["a list"]', [("content-type", "application/json")])
        client.produce("docs", b"text-said", '{"a":"brace and a wombat"}', [("content-type", "TEXT/PLAIN")])
        daemon.wait_applied()
        reasons = {letter.key: letter.header("sluice-reason").decode()
                   for letter in self.dead_letters(daemon, 2)}
        self.assertEqual(reasons[b"strange"], "unsupported_content_type")
        self.assertIn(b"json-said", reasons)
        self.assertEqual(list(daemon.export()), ["text-said"])

    def test_no_dead_letter_topic(self):
        """Without one, what is unusable is counted and passed over."""
        daemon = self.daemon(self.mock(), {"documents": {"dead_letter_topic": ""}})
        daemon.client.produce("docs", b"bad", b"")
        daemon.client.produce("docs", b"good", GOOD)
        daemon.wait_applied()
        self.assertIn("walrus", daemon.answer("Who is on the ice?")["answer"])
        self.assertEqual(daemon.metric("sluice_dlq_records_total", 'reason="empty_value"'), 1)

    def test_one_huge_word(self):
        """B22: five megabytes without a break point are cut, not choked on."""
        daemon = self.daemon(self.mock())
        daemon.client.produce("docs", b"word", b"x" * 5000000, partition=0)
        daemon.client.produce("docs", b"after", "After the word comes a gannet.", partition=1)
        daemon.wait_applied(seconds=120)
        self.assertIn("gannet", daemon.answer("What comes after the word?")["answer"])
        self.assertEqual(sorted(daemon.export()), ["after", "word"])


if __name__ == "__main__":
    sluice_test.main()

"""The demonstration passes, and notices what it must: no documents, changes that did not happen, random weights."""

import os
import random
import shutil
import struct
import subprocess
import sys

import sluice_test
from sluice_test import BIN, MODEL, SOURCE


def demo(*arguments, model=MODEL, stdin=None):
    done = subprocess.run([sys.executable, "-B", os.path.join(SOURCE, "demo", "demo.py"), "--bin", BIN,
                           "--model", model, *arguments], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, text=True, check=False)
    return done.returncode, done.stdout


class Demo(sluice_test.Case):
    def setUp(self):
        self.need_model()

    def test_passes(self):
        code, said = demo()
        self.assertEqual(code, 0, said)
        self.assertIn("7 of 7 answers are right", said)

    def test_notices_an_empty_index(self):
        code, said = demo("--no-documents")
        self.assertEqual(code, 1, said)
        self.assertIn("WRONG", said)

    def test_notices_changes_that_did_not_happen(self):
        """Without the correction and the deletion exactly those two answers are wrong."""
        code, said = demo("--no-changes")
        self.assertEqual(code, 1, said)
        self.assertIn("5 of 7 answers are right", said)

    def test_notices_random_weights(self):
        code, said = demo(model=self.model_of_noise())
        self.assertEqual(code, 1, said)
        self.assertIn("WRONG", said)

    def model_of_noise(self):
        """A copy of the model whose tensors are noise of the same size; the header stays."""
        directory = os.path.join(self.scratch(), "noise")
        shutil.copytree(MODEL, directory)
        path = os.path.join(directory, "model.safetensors")
        with open(path, "rb") as f:
            header_bytes = struct.unpack("<Q", f.read(8))[0] + 8
        size = os.path.getsize(path)
        rng = random.Random(5)
        block = struct.pack("<65536f", *(rng.gauss(0.0, 0.05) for _ in range(65536)))
        with open(path, "r+b") as f:
            f.seek(header_bytes)
            left = size - header_bytes
            while left > 0:
                # Each block from another place, so that rows of a matrix are not copies of one another.
                start = 4 * rng.randrange(65536)
                piece = (block[start:] + block[:start])[:left]
                f.write(piece)
                left -= len(piece)
        return directory

    def test_own_documents(self):
        """--docs takes a folder, and asks for questions."""
        directory = self.scratch()
        with open(os.path.join(directory, "a.md"), "w", encoding="utf-8") as f:
            f.write("# Pantry\n\nThe marmalade stands behind the flour.\n")
        with open(os.path.join(directory, "b.jsonl"), "w", encoding="utf-8") as f:
            f.write('{"_id":"x","text":"The ladder leans on the pear tree."}\n')
        code, said = demo("--docs", directory, stdin="Where does the marmalade stand?\n"
                          "What leans on the pear tree?\n")
        self.assertEqual(code, 0, said)
        self.assertIn("behind the flour", said)
        self.assertIn("The ladder", said)

    def test_says_what_is_missing(self):
        code, said = demo("--docs", "/nonexistent")
        self.assertEqual(code, 1)
        self.assertIn("/nonexistent", said)


if __name__ == "__main__":
    sluice_test.main()

#!/usr/bin/env python3
"""Run one case of tests/flow: documents in, questions asked, answers compared, all through sluicectl and an
index in a temporary directory, without Kafka.

    run.py SLUICECTL CASE

A case is a folder of text files:
    config            the configuration; @DIR@ becomes the temporary directory
    in.jsonl          documents, one a line; then in-2.jsonl, in-3.jsonl: imported one after the other
    files/            a folder to import as it is, if there
    questions.jsonl   questions; _id names them
    expect.jsonl      what must come out, one object a line:
        {"question": ID, "answer": PATTERN}
        {"import": N, "exit": CODE, "result": PATTERN}      of the Nth import, from 1; files/ is the last
        {"search": [ARGUMENTS], "exit": CODE, "result": PATTERN}
        {"export": PATTERN}                                 list of all documents
A PATTERN matches the same value; an object that has the members named, each matching; a list of the same length,
each element matching; or is one of
    {"$has": [P, ...]}  a list with an element for each P      {"$lacks": [P, ...]}  a list with none for any P
    {"$text": REGEX}    a string in which it is found          {"$from": A, "$to": B}  a number between

Besides what a case expects, every citation of every answer is held against the exported documents, byte for
byte, every mark in the answer's text against the citations, and `verify` must find nothing.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

faults = []


def fault(*words):
    faults.append(" ".join(str(word) for word in words))


def differs(pattern, value, path=""):
    """The first difference as a sentence, None when the pattern matches."""
    if isinstance(pattern, dict) and any(name.startswith("$") for name in pattern):
        return differs_special(pattern, value, path)
    if isinstance(pattern, dict):
        if not isinstance(value, dict):
            return f"{path}: expected an object, found {value!r}"
        for name, wanted in pattern.items():
            if name not in value:
                return f"{path}.{name}: is missing"
            found = differs(wanted, value[name], f"{path}.{name}")
            if found:
                return found
        return None
    if isinstance(pattern, list):
        if not isinstance(value, list) or len(value) != len(pattern):
            return f"{path}: expected {len(pattern)} elements, found {json.dumps(value, ensure_ascii=False)[:300]}"
        for i, wanted in enumerate(pattern):
            found = differs(wanted, value[i], f"{path}[{i}]")
            if found:
                return found
        return None
    same = pattern == value and isinstance(pattern, bool) == isinstance(value, bool)
    return None if same else f"{path}: expected {pattern!r}, found {value!r}"


def differs_special(pattern, value, path):
    if "$text" in pattern:
        matches = isinstance(value, str) and re.search(pattern["$text"], value)
        return None if matches else f"{path}: expected /{pattern['$text']}/, found {value!r}"
    if "$from" in pattern:
        inside = isinstance(value, (int, float)) and pattern["$from"] <= value <= pattern["$to"]
        return None if inside else f"{path}: expected {pattern['$from']}..{pattern['$to']}, found {value!r}"
    if not isinstance(value, list):
        return f"{path}: expected a list, found {value!r}"
    for wanted in pattern.get("$has", []):
        if all(differs(wanted, element) for element in value):
            return f"{path}: nothing like {wanted!r} in {json.dumps(value, ensure_ascii=False)[:400]}"
    for unwanted in pattern.get("$lacks", []):
        if any(not differs(unwanted, element) for element in value):
            return f"{path}: {unwanted!r} must not be in it"
    return None


class Case:
    def __init__(self, sluicectl, folder, directory):
        self.sluicectl = sluicectl
        self.folder = folder
        self.config = os.path.join(directory, "sluiced.conf")
        with open(os.path.join(folder, "config"), encoding="utf-8") as file:
            text = file.read().replace("@DIR@", directory)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        self.imports = []
        self.answers = {}
        self.documents = []

    def ctl(self, command, *arguments):
        done = subprocess.run([self.sluicectl, command, "-c", self.config, "--json", *arguments],
                              cwd=self.folder, capture_output=True, timeout=110)
        if done.returncode < 0 or b"AddressSanitizer" in done.stderr or b"runtime error" in done.stderr:
            fault(command, "ended with", done.returncode, done.stderr.decode(errors="replace"))
        return done

    def lines(self, name):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]

    def import_all(self):
        files = sorted(name for name in os.listdir(self.folder) if re.fullmatch(r"in(-\d+)?\.jsonl", name))
        files.sort(key=lambda name: int(re.sub(r"\D", "", name) or 1))
        for name in files:
            self.imports.append(self.ctl("import", "--jsonl", name))
        if os.path.isdir(os.path.join(self.folder, "files")):
            self.imports.append(self.ctl("import", "files"))

    def ask_all(self):
        if not os.path.exists(os.path.join(self.folder, "questions.jsonl")):
            return
        done = self.ctl("answer", "--queries", "questions.jsonl")
        refused = b'"status": "error"' in done.stdout
        if done.returncode != (65 if refused else 0):
            fault("answer: exit", done.returncode, done.stderr.decode())
        for line in done.stdout.splitlines():
            answer = json.loads(line)
            self.answers[answer["id"]] = answer

    def export_all(self):
        done = self.ctl("export", "--jsonl", "--origin")
        if done.returncode != 0:
            fault("export: exit", done.returncode, done.stderr.decode())
        self.documents = [json.loads(line) for line in done.stdout.splitlines()]

    def check_citations(self):
        texts = {(doc["_topic"], doc["_id"]): doc["text"].encode() for doc in self.documents}
        for name, answer in self.answers.items():
            marks = {int(n) for n in re.findall(r"\[(\d+)\]", answer["answer"])}
            numbers = {citation["n"] for citation in answer["citations"]}
            if answer["status"] == "answered" and (not numbers or not marks <= numbers):
                fault(f"{name}: marks {sorted(marks)} in the text, citations {sorted(numbers)}")
            for citation in answer["citations"]:
                text = texts.get((citation["topic"], citation["doc"]))
                if text is None:
                    fault(f"{name}: cites {citation['doc']}, which is not in the index")
                elif text[citation["byte_start"]:citation["byte_end"]] != citation["quote"].encode():
                    fault(f"{name}: the quote from {citation['doc']} is not its bytes: {citation['quote']!r}")

    def expect_result(self, what, done, expected):
        if "exit" in expected and done.returncode != expected["exit"]:
            fault(f"{what}: expected exit {expected['exit']}, found {done.returncode}: {done.stderr.decode()}")
        if "result" in expected:
            text = done.stdout or done.stderr
            found = differs(expected["result"], json.loads(text.splitlines()[0]))
            if found:
                fault(what + found)

    def expect(self, expected):
        if "question" in expected:
            name = expected["question"]
            found = differs(expected["answer"], self.answers.get(name), f"question {name}: answer")
            if found:
                fault(found, "\n      of", json.dumps(self.answers.get(name), ensure_ascii=False))
        elif "import" in expected:
            self.expect_result(f"import {expected['import']}", self.imports[expected["import"] - 1], expected)
        elif "search" in expected:
            self.expect_result(f"search {expected['search']}", self.ctl("search", *expected["search"]), expected)
        elif "export" in expected:
            found = differs(expected["export"], self.documents, "export")
            if found:
                fault(found)
        else:
            fault("expect.jsonl: what is", expected)

    def run(self):
        self.import_all()
        self.ask_all()
        self.export_all()
        self.check_citations()
        expectations = self.lines("expect.jsonl")
        if not expectations:
            fault("expect.jsonl expects nothing")
        for expected in expectations:
            self.expect(expected)
        done = self.ctl("verify")
        if done.returncode != 0:
            fault("verify: exit", done.returncode, done.stdout.decode(), done.stderr.decode())


def main():
    sluicectl, folder = sys.argv[1], os.path.abspath(sys.argv[2])
    directory = tempfile.mkdtemp(prefix="sluice-flow-")
    try:
        Case(os.path.abspath(sluicectl), folder, directory).run()
    finally:
        if os.environ.get("KEEP"):
            print("kept:", directory)
        else:
            shutil.rmtree(directory)
    for line in faults:
        print(f"{os.path.basename(folder)}: {line}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

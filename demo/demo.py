#!/usr/bin/env python3
"""Runs the demonstration; tools/demo prepares the machine and calls it.

A broker in memory and a fresh sluiced are started, the documents of demo/documents go in through Kafka, and the
questions of demo/questions.json come out as answers. Each answer is checked against what a reader of the
documents would say: the exit code is 0 only if all of them named the right document and quoted the right words.
"""

import argparse
import glob
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TOPICS = "docs:4,questions:1,answers:1,docs.dlq:1"
WAIT_SECONDS = 120
READABLE = (".md", ".txt", ".json")
LINES = ".jsonl"
BATCH = 200  # files on one command line

CONFIG = """\
# Written by tools/demo. Every option: docs/CONFIGURATION.md
[kafka]
bootstrap.servers = {servers}

[documents]
topics = docs
dead_letter_topic = docs.dlq

[queries]
topics = questions
answers_topic = answers
instance = demo

[embed]
backend = bert
model = {model}

[index]
path = {directory}/index
map_size_max = 8G

[http]
listen = 127.0.0.1:{port}

[log]
level = info
format = text
"""


class Failed(Exception):
    """Something that ends the demonstration; the text says what."""


class Look:
    """Colours on a terminal, none elsewhere."""

    def __init__(self):
        on = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.bold, self.dim, self.good, self.bad, self.off = (
            ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m") if on else ("",) * 5)


LOOK = Look()


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Stack:
    """Broker and daemon, with their state in a directory of their own."""

    def __init__(self, programs, model, directory):
        self.programs = programs
        self.model = model
        self.directory = directory
        self.config = os.path.join(directory, "sluiced.conf")
        self.servers = None
        self.port = free_port()
        self.processes = []

    def program(self, name):
        return os.path.join(self.programs, name)

    def spawn(self, name, *arguments):
        log = os.path.join(self.directory, name + ".log")
        with open(log, "ab") as out:
            process = subprocess.Popen([self.program(name), *arguments], stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out, start_new_session=True)
        self.processes.append((name, process, log))
        return process

    def wait(self, what, condition):
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            for name, process, log in self.processes:
                if process.poll() is not None:
                    with open(log, errors="replace", encoding="utf-8") as f:
                        raise Failed(f"{name} ended with {process.returncode}:\n{f.read()[-2000:]}")
            if time.monotonic() > deadline:
                raise Failed(f"waited {WAIT_SECONDS} s in vain for {what}")
            time.sleep(0.05)

    def start(self):
        port_file = os.path.join(self.directory, "broker")
        self.spawn("sluice-mock-broker", "--topics", TOPICS, "--port-file", port_file)
        self.wait("the broker", lambda: os.path.exists(port_file))
        with open(port_file, encoding="utf-8") as f:
            self.servers = f.read().strip()
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(servers=self.servers, model=self.model, directory=self.directory,
                                  port=self.port))
        self.spawn("sluiced", "-c", self.config)
        self.wait("sluiced to be ready", self.ready)

    def ready(self):
        import urllib.error
        import urllib.request
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    def ctl(self, *arguments, folder=None):
        done = subprocess.run([self.program("sluicectl"), arguments[0], "-c", self.config, *arguments[1:]],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, check=False)
        if done.returncode != 0:
            raise Failed(f"sluicectl {shlex.join(arguments)} ended with {done.returncode}: "
                         f"{done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def put(self, path):
        """A file of JSON lines, a file that is one document, or a folder of both. Files are named from there."""
        if not os.path.exists(path):
            raise Failed(f"{path}: no such file or folder")
        if os.path.isdir(path):
            folder = path
            inside = sorted(glob.glob("**/*", root_dir=path, recursive=True))
            files = [name for name in inside if name.endswith(READABLE)]
        else:
            folder, name = os.path.split(os.path.abspath(path))
            inside = [name]
            files = [] if name.endswith(LINES) else [name]
        lines = [name for name in inside if name.endswith(LINES)]
        for name in lines:
            self.ctl("put", "--wait", "--jsonl", name, folder=folder)
        for at in range(0, len(files), BATCH):
            self.ctl("put", "--wait", *files[at:at + BATCH], folder=folder)
        return len(lines) + len(files)

    def ask(self, question, expression=None):
        arguments = ["ask", question, "--json", "--timeout", "60"]
        if expression:
            arguments += ["--filter", expression]
        return json.loads(self.ctl(*arguments))

    def stop(self):
        for _, process, _ in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def answer_print(answer):
    """The answer and its sources, for a reader."""
    found = answer["status"] == "answered"
    print(f"   {LOOK.bold}{answer['answer'] if found else answer['status'].replace('_', ' ')}{LOOK.off}")
    if answer["status"] == "error":
        print(f"   {answer['error']['code']}: {answer['error']['message']}")
    for citation in answer.get("citations") or []:
        dated = f", {citation['date']}" if citation.get("date") else ""
        title = citation.get("title") or "untitled"
        place = f"bytes {citation['byte_start']}-{citation['byte_end']}"
        print(f"   {LOOK.dim}[{citation['n']}] {citation['doc']}: {title}{dated}, {place}{LOOK.off}")
        print(f"   {LOOK.dim}    \"{' '.join(citation['quote'].split())}\"{LOOK.off}")
    dates = answer.get("filter") or {}
    if dates.get("from_query"):
        print(f"   {LOOK.dim}    dates read from the question: {dates['date_from']} to "
              f"{dates['date_to']}{LOOK.off}")
    print(f"   {LOOK.dim}    {answer['timing_ms']['total']:.0f} ms{LOOK.off}")


def complaints(answer, expect):
    """What is wrong with an answer; empty when it is right."""
    wanted = expect.get("status", "answered")
    if answer["status"] != wanted:
        return [f"the status is {answer['status']}, not {wanted}"]
    if wanted != "answered":
        return []
    wrong = []
    citations = answer["citations"]
    named = [c["doc"] for c in citations]
    if expect["document"] not in named:
        wrong.append(f"{expect['document']} is not among its sources {named}")
    elif not any(c["doc"] == expect["document"] and expect["quote"] in c["quote"] for c in citations):
        wrong.append(f"no quote from {expect['document']} holds \"{expect['quote']}\"")
    if expect.get("only") and set(named) != {expect["document"]}:
        wrong.append(f"it names other sources too: {named}")
    if "never" in expect and expect["never"] in json.dumps(answer, ensure_ascii=False):
        wrong.append(f"it still says \"{expect['never']}\"")
    return wrong


def question_run(stack, number, item, changes):
    """One question with what is done before it; True when the answer is right."""
    print(f"\n{number}. {item['about']}")
    if "put" in item and changes:
        stack.put(os.path.join(HERE, item["put"]))
    if "delete" in item and changes:
        stack.ctl("rm", "--wait", item["delete"])
    shown = f"   {LOOK.bold}{item['question']}{LOOK.off}"
    print(shown + (f"   filter: {item['filter']}" if "filter" in item else ""))
    answer = stack.ask(item["question"], item.get("filter"))
    answer_print(answer)
    wrong = complaints(answer, item["expect"])
    for line in wrong:
        print(f"   {LOOK.bad}WRONG: {line}{LOOK.off}")
    if not wrong:
        print(f"   {LOOK.good}as it should be{LOOK.off}")
    return not wrong


def questions_run(stack, options):
    with open(os.path.join(HERE, "questions.json"), encoding="utf-8") as f:
        items = json.load(f)
    right = sum([question_run(stack, number, item, not options.no_changes)
                 for number, item in enumerate(items, 1)])
    print(f"\n{right} of {len(items)} answers are right.")
    return right == len(items)


def prompt(stack):
    """Questions from the keyboard (or a pipe) until its end."""
    print("Ask away; an empty line or Ctrl-D ends.")
    while True:
        try:
            question = input("\n? " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if not question:
            return
        answer_print(stack.ask(question))


def next_print(stack):
    ctl = f"{stack.program('sluicectl')} -c {shlex.quote(stack.config)}"
    pids = " ".join(str(process.pid) for _, process, _ in stack.processes)
    print(f"""
Still running. To go on:
  {ctl} ask "Who tuned the fog signal of the Skerry light?"
  {ctl} status
  kcat -C -b {stack.servers} -t answers -o end -q -u | jq       (in a second terminal: it listens)
  printf 'k1:The lantern of buoy 5 is green.\\n' | kcat -P -b {stack.servers} -t docs -K:
  echo 'What colour is the lantern of buoy 5?' | kcat -P -b {stack.servers} -t questions
  http://127.0.0.1:{stack.port}/ is the status page
Stop both:
  kill {pids}; rm -r {shlex.quote(stack.directory)}""")


def options_read():
    parser = argparse.ArgumentParser(prog="tools/demo", description="Shows what sluice does, and checks it.")
    parser.add_argument("--keep", action="store_true", help="leave broker and daemon running at the end")
    parser.add_argument("--docs", metavar="PATH", help="a folder or a FILE.jsonl of your own documents, and a "
                        "prompt for your questions, in place of the demonstration's")
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "quick", "bin"), type=os.path.abspath,
                        help=argparse.SUPPRESS)
    parser.add_argument("--model", default=os.path.join(ROOT, "build", "models", "all-MiniLM-L6-v2"),
                        help="directory of the encoder")
    # For the test of this very program: what it must notice.
    parser.add_argument("--no-documents", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-changes", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def run(stack, options):
    started = time.monotonic()
    print("Starting a broker in memory and sluiced ...")
    stack.start()
    if options.docs:
        print(f"Putting {options.docs} on topic docs ...")
        if stack.put(options.docs) == 0:
            raise Failed(f"{options.docs}: no .md, .txt, .json or .jsonl file in it")
        prompt(stack)
        return True
    if not options.no_documents:
        print("Putting the log of an invented harbour on topic docs ...")
        stack.put(os.path.join(HERE, "documents"))
    right = questions_run(stack, options)
    print(f"{time.monotonic() - started:.0f} s, the start of both programs included.")
    return right


def main():
    options = options_read()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = tempfile.mkdtemp(prefix="sluice-demo-")
    stack = Stack(options.bin, os.path.abspath(options.model), directory)
    kept = False
    try:
        right = run(stack, options)
        kept = options.keep
    except Failed as e:
        print(f"{LOOK.bad}{e}{LOOK.off}", file=sys.stderr)
        right = False
    except KeyboardInterrupt:
        right = False
    finally:
        if not kept:
            stack.stop()
            shutil.rmtree(directory, ignore_errors=True)
    if kept:
        next_print(stack)
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()

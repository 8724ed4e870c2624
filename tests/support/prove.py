"""How a test says what it has proved: one line on standard output that tools/prove collects into its table.

    import prove

    prove.proved("answers.exactly_once", "one visible answer to each question", runs=1, faults=25, violations=0)
    prove.control("answers.exactly_once", violations=118)

`promise` is a dotted name, its first word the section of docs/GUARANTEES.md: documents, answers, bounded, disk,
brokers, ... Call proved() after the run and before the assertions (violations are what they count), as often
as there are runs: numbers of one promise are added. A control is the same run without the mechanism (a test-only
build, a preloaded library, another setting); its violations must not be 0, or the test could not have failed.
`faults` counts what was injected: kills, flipped bits, refused writes, seeds. Any further keyword (documents=100000,
rss_mb=212) ends up in the table's last column.

From C or sh, print the same by hand, on a line of its own:

    PROVED {"promise": "disk.bit_flips", "says": "...", "runs": 1, "faults": 2000, "violations": 0}
    PROVED {"promise": "disk.bit_flips", "control": true, "violations": 395}

A test that prints such lines carries the ctest label "prove"; its long form, registered under SLUICE_LONG, carries
"long" as well and gets SLUICE_TEST_LONG=1 in its environment (is_long() here):

    set_tests_properties(broker/answers_long PROPERTIES LABELS "broker;long;prove")
"""

import json
import os


def is_long():
    return bool(os.environ.get("SLUICE_TEST_LONG"))


def _print(line):
    print("\nPROVED " + json.dumps(line, ensure_ascii=False), flush=True)


def proved(promise, says, runs=1, faults=0, violations=0, **figures):
    _print({"promise": promise, "says": says, "runs": runs, "faults": faults, "violations": violations,
            "figures": figures})


def control(promise, violations, **figures):
    _print({"promise": promise, "control": True, "violations": violations, "figures": figures})

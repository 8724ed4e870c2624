#!/usr/bin/env python3
"""How well dates are read from questions: by `sluicectl dates`, on questions whose ranges are known.

    dates.py SLUICECTL DATA [--verbose] [--gate] [--json]

DATA has the folders fomc-qa (questions with a date phrase and its range), date-expr (expressions with the
values other readers give them), and question sets for false alarms. Prints a table, with --json also a line a figure; with --gate the exit
code is 1 when a figure is below what must hold. Exit 77 when DATA is not there.

Other readers differ from this one on purpose in three points, and their values are compared after these:
  an end that is a month or a year belongs to the range ("2014 to 2018" ends with 2018);
  "two years ago" and "2년 전" are that year, not one day of it: the expected day must lie in what is read;
  "early", "mid" and "late" are thirds, not halves: what is read must lie in what is expected.
Kinds that are not read by design are counted as such, and not among the cases; "of all" counts them as wrong.
A date without a year is right when it is one of those that fit.
"""
import collections
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile

GATES = {"fomc-qa": 0.97, "English": 0.80, "Korean": 0.80}
FALSE_MAX = 0.01

# Kinds that are not read, or not on their own, and why: docs/FLOW.md. The first that fits counts.
WEEKDAY = r"(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?s?"
UNREAD = [
    ("month or day first, or no year, in digits",
     r"^(from |between |on |this |next )*(" + WEEKDAY + r" )?(0?\d|1[0-2])[/.-](0?\d|1[0-2])([/,.-](\d\d|\d{4}))?\b(?!월)|"
     r"\d days from 01/02|^\d{1,2}[/.]\d{1,2}(-\d{1,2}/\d{1,2})?$|^\d\d/\d\d/\d\d$|" + WEEKDAY + r" \d+[./-]\d+|from this 5"),
    ("month and year apart", r"^\d+( [-/] ?|[-/] )\d+$|^\d{4} \d+ \d+$|^\d{4}\.\d$"),
    ("day or year in the middle", r"\d{4}/\d+/\w{3}|\d+-\d{4}-\w+|\w+-\d{4}-\d+"),
    ("working days", r"business|work(ing)? ?week|workday|영업일"),
    ("centuries, and years before 1600", r"century|세기|year \d{3}$|^\d{3}년|year two hundred|\b1391"),
    ("today and tomorrow, alone", r"^(today|tomorrow|tmrw|otd|(to|till) date|as late as tomorrow|바로 내일)$"),
    ("weekdays and days of the month, alone",
     r"^((on |the )*" + WEEKDAY + r"\b( the)? ?(\w+(-\w+| \w+)?)?|(the )?(first|second|third|fourth|fifth|\d+)(th)? \w+day|"
     r"\d+|the (\d+(st|nd|rd|th)?|second|thirty|twenty \w+)|([\d십이]+일 )?[월화수목금토일]요일|[\d십이]+일|\S+( 번째)? ?주? \S요일|"
     r"the week of the 18th|from friday the .*|friday \|friday|11일 금요일부터.*|\d+번 ?째 주)$"),
    ("weeks by their number, without a year", r"week \d+$|week \d+ and week|week \d+ to week|^\d+주$|^\d+주(부터|와) "),
    ("what is talked about",
     r"^(the|my|that|same|this|next|past|last|following|the next|the last|the following|rest|rest of|rest the|"
     r"rest of my|remaining of the|earlier in the|later in the)( \(?past)? ?(day|week|month|year|weekend|fortnight|quarter)$|"
     r"^(the )?day (after|before)$|weekend$|^(the )?(end|first quarter) of (the )?(week|month|year)$|\beo[ymd]\b|"
     r"^(the )?day after tmrw$|day of the month$|^(같은|그|이|지난|다음|그 다음|나의) ?(달|주|해|날|주말|하루)$|^그? ?전날$|^연말$|^월말$|"
     r"^주 초에$|^주말$|^그해 말에|좀 더 일찍"),
    ("lengths of time without a date",
     r"\b(later|hence|in the future)$|^in (a|an|\d+|two|three|four) \w+( on friday)?$|^within \d+ \w+( \d+ \w+)*$|"
     r"^(?!.*부터)(\S+ ){1,3}(내|후|이내|지나서|안)$|^삼일 후$|^(한 달|하루|1년|이번 10년)$|주 후 월요일|^in two (years|weeks) since|from now|two monday later"),
    ("more, less, signs", r"[<>=]|greater|more than|less than|최소|보다"),
    ("lunar feasts, and feasts without a year",
     r"eid al|^international workers|^labor day weekend|christmas( on friday)?$|new year$|after easter$|halloween$|^before independence|"
     r"독립 기념일|patrick 2020"),
]


def unread(case):
    phrase = case["phrase"].lower().strip()
    if case["values"][0] == (None, None) or "not resolved" in case["timex"] + str(case["values"][0]):
        return "no value given"
    if case["values"][0][0] == "0001-01-01":
        return "no such day"
    for name, pattern in UNREAD:
        if re.search(pattern, phrase):
            return name
    return None


def kind(case):
    phrase, timex = case["phrase"].lower(), case["timex"]
    if re.search(r"\bago\b| 전$|^\S+ 전에?$", phrase):
        return "ago"
    if re.search(r"early|mid|late|beginning|start|end of|초|말|후반|중반|초반", phrase) and "주말" not in phrase:
        return "part of"
    if re.search(r"since|after|before|until|till|이후|이전|later|earlier|부터$", phrase) or \
            None in case["values"][0]:
        return "open end"
    if case["type"] == "date":
        return "day" if re.search(r"\d{4}", phrase) else "day, relative"
    if timex.startswith("("):
        return "range"
    if "W" in timex:
        return "week" if "WE" not in timex else "weekend"
    return "month or year" if re.search(r"\d{4}", phrase) else "month or year, relative"


def day(text):
    return datetime.date.fromisoformat(text[:10]) if text else None


def last_days(expected):
    """The last days that mean the same as an end given elsewhere: itself, or what ends before or with it."""
    if expected is None:
        return {None}
    end = day(expected)
    ends = {end, end - datetime.timedelta(1)}
    if end.day == 1:
        ends.add((end.replace(day=28) + datetime.timedelta(4)).replace(day=1) - datetime.timedelta(1))
    if end.day == 1 and end.month % 3 == 1:
        ends.add((end + datetime.timedelta(95)).replace(day=1) - datetime.timedelta(1))
    if end.day == 1 and end.month == 1:
        ends.add(end.replace(month=12, day=31))
    return {str(each) for each in ends}


def agrees(case, got):
    if not got["found"]:
        return False
    low, high = got["date_from"], got["date_to"]
    for first, last in case["values"]:
        if case["kind"] == "ago":
            if low and high and first and low <= first <= high and day(high) - day(low) < datetime.timedelta(367):
                return True
        elif case["kind"] == "part of" and low and high and first and last:
            if first <= low and high <= last:
                return True
        elif case["type"] == "date":
            if (low, high) == (first, last):
                return True
        else:
            firsts = {first}
            if first and case["kind"] == "open end":
                firsts.add(str(day(first) + datetime.timedelta(1)))
                firsts.add(next(iter({str(day(first) - datetime.timedelta(n)) for n in (28,)})))
            if low in firsts and high in last_days(last):
                return True
            if case["kind"] == "open end" and low and first and last is None and high is None and \
                    "이후" in case["phrase"] and day(low) < day(first) <= day(low) + datetime.timedelta(366):
                return True  # 이후 has the year or month in it, "after" has not
    return False


def expressions(path, model):
    for item in json.load(open(path, encoding="utf-8-sig")):
        results = item.get("Results") or []
        if len(results) != 1:
            continue
        result = results[0]
        type_ = (result.get("TypeName") or result.get("Type") or "").replace("datetimeV2.", "")
        if type_ not in ("date", "daterange") or "Context" not in item:
            continue
        if model:
            found = result["Resolution"]["values"] or [{}]
            values = [(each.get("value") or each.get("start"), each.get("value") or each.get("end")) for each in found]
            timex = found[0].get("timex", "not resolved")
        else:
            value = result["Value"]
            values = [(each.get("date") or each.get("startDate"), each.get("date") or each.get("endDate"))
                      for each in (value.get("PastResolution") or {}, value.get("FutureResolution") or {})]
            timex = value["Timex"]
        case = {"text": item["Input"], "now": item["Context"]["ReferenceDateTime"][:10], "phrase": result["Text"],
                "values": values, "timex": timex, "type": type_}
        case["kind"] = kind(case)
        yield case


def read(sluicectl, questions):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for question in questions:
            file.write(json.dumps({"text": question["text"], "now": question["now"]}, ensure_ascii=False) + "\n")
        file.flush()
        done = subprocess.run([sluicectl, "dates", "--queries", file.name], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def measure_expressions(sluicectl, data, language, verbose):
    """By kind: right, all; and what is not read, by reason."""
    kinds, left_out = collections.defaultdict(lambda: [0, 0]), collections.Counter()
    cases = []
    for name in ("DateTimeModel", "DatePeriodParser", "DateParser"):
        path = os.path.join(data, "date-expr", "recognizers", f"{language}_{name}.json")
        cases += expressions(path, name == "DateTimeModel")
    seen = set()
    cases = [case for case in cases if not ((case["text"].lower(), case["now"]) in seen or
                                            seen.add((case["text"].lower(), case["now"])))]
    for case, got in zip(cases, read(sluicectl, cases)):
        reason = unread(case)
        if reason:
            left_out[reason] += 1
            continue
        right = agrees(case, got)
        kinds[case["kind"]][0] += right
        kinds[case["kind"]][1] += 1
        if verbose and not right:
            print("   ", case["kind"], "|", case["phrase"], "|", case["text"], "|", case["values"][0], "|",
                  (got.get("date_from"), got.get("date_to")) if got["found"] else None)
    return kinds, left_out


def measure_phrases(sluicectl, data, verbose):
    questions = lines(os.path.join(data, "fomc-qa", "queries.jsonl"))
    found = read(sluicectl, [{"text": each["dated_text"], "now": each["date"]} for each in questions])
    right = 0
    for each, got in zip(questions, found):
        exact = got["found"] and (got["date_from"], got["date_to"]) == (each["from"], each["to"])
        right += exact
        if verbose and not exact:
            print("   ", each["date_phrase"], got)
    return right, len(questions)


def names_a_date(text):
    """Does a question name a time, whatever a reader makes of it?"""
    return re.search(r"\b1[0-9]\d\d\b|\b20\d\d\b|\b(\d\d)?\d0'?s\b|\b(this|last|next|past) (\w+ )?(year|decade|month|week)s?\b|"
                     r"\b(year|month|week|decade)s? ago\b", text, re.I) is not None


MONTH_AND_DAY = r"\b(jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)\w* \d"


def measure_false(sluicectl, data):
    """Filters read from questions that name no time: per set, filters and questions."""
    rows = []
    for name in ("fomc-qa", "xquad-en", "squad11-train", "squad20-dev", "nq-oracle"):
        questions = [{"text": each["text"], "now": each.get("date", "2022-06-01")}
                     for each in lines(os.path.join(data, name, "queries.jsonl"))]
        if name != "fomc-qa":
            questions = [each for each in questions if not names_a_date(each["text"])]
        found = sum(got["found"] for got in read(sluicectl, questions))
        rows.append((name, found, len(questions)))
        questions = [each for each in questions
                     if re.search(r"\d", each["text"]) and not re.search(MONTH_AND_DAY, each["text"], re.I)]
        if name in ("squad11-train", "nq-oracle"):  # ages, prices, scores, versions, models, articles of laws
            found = sum(got["found"] for got in read(sluicectl, questions))
            rows.append((name + ", with numbers", found, len(questions)))
    return rows


def main():
    arguments = [each for each in sys.argv[1:] if not each.startswith("--")]
    verbose, gate = "--verbose" in sys.argv, "--gate" in sys.argv

    def tell(what, measured, wanted):
        if "--json" in sys.argv:
            print(json.dumps({"what": what, "measured": measured, "wanted": wanted}))

    sluicectl, data = arguments
    if not os.path.isdir(os.path.join(data, "date-expr")):
        print(f"SKIP {data} is not there")
        return 77
    faults = []
    right, count = measure_phrases(sluicectl, data, verbose)
    print(f"fomc-qa phrases    exact range {right / count:.4f}   {right} of {count}")
    tell("fomc-qa, exact range", right / count, GATES["fomc-qa"])
    if right / count < GATES["fomc-qa"]:
        faults.append(f"fomc-qa: {right / count:.4f}, at least {GATES['fomc-qa']}")
    for language in ("English", "Korean"):
        kinds, left_out = measure_expressions(sluicectl, data, language, verbose)
        right, count = (sum(each[i] for each in kinds.values()) for i in (0, 1))
        shown = count + sum(left_out.values())
        print(f"date-expr {language:8} {right / count:.4f}   {right} of {count} of the kinds read; of all "
              f"{shown} shown {right / shown:.4f}")
        for name, each in sorted(kinds.items()):
            print(f"    {name:24} {each[0]:4} of {each[1]}")
        for name, each in left_out.most_common():
            print(f"    not read: {name:24} {each}")
        tell(f"date-expr {language}, of the kinds read", right / count, GATES[language])
        tell(f"date-expr {language}, cases of the kinds read, of all", count / shown, 0.5)
        if right / count < GATES[language]:
            faults.append(f"date-expr {language}: {right / count:.4f}, at least {GATES[language]}")
    for name, found, count in measure_false(sluicectl, data):
        print(f"false filters {name:27} {found / count:.4f}   {found} of {count} questions without a date")
        tell(f"{name}, undated questions left undated", 1 - found / count, 1 - FALSE_MAX)
        if found / count > FALSE_MAX:
            faults.append(f"false filters {name}: {found / count:.4f}, at most {FALSE_MAX}")
    for fault in faults:
        print("below what must hold:", fault)
    return 1 if gate and faults else 0


if __name__ == "__main__":
    sys.exit(main())

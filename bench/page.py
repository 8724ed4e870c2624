"""page.py -- tables of a Markdown page that programs write, each between marks that bear its name."""


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def place_between(path, program, text):
    """Put `text` between the marks of `program`, instead of what stands there."""
    begin, end = f"<!-- begin: made by {program} -->\n", f"<!-- end: made by {program} -->\n"
    with open(path, encoding="utf-8") as file:
        page = file.read()
    head, rest = page.split(begin)
    tail = rest.split(end)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + begin + "\n" + text.rstrip("\n") + "\n\n" + end + tail)

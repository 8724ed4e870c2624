#!/bin/sh
# run_models.sh PRINT_IDS -- make what the reference says about the small models again and compare; then compare the ids
# of every line of the texts here and, where it is there, of ../shared/data (the `long` preset).
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
venv=$root/build/golden/venv

if ! "$venv/bin/python3" -c 'import sentence_transformers, model2vec, wordllama' 2>/dev/null; then
    python3 -m venv "$venv" || { echo "SKIP python3 cannot make a venv here"; exit 77; }
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" ||
        { echo "SKIP the reference packages cannot be installed"; exit 77; }
fi
export HF_HUB_OFFLINE=1
nice "$venv/bin/python3" "$here/make_models.py" --check
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
cat "$here/texts.jsonl" "$root"/docs/*.md > "$lines"
for file in "$root"/../shared/data/*/corpus.jsonl "$root"/../shared/data/*/*.txt; do
    if [ -f "$file" ]; then head -n 3000 "$file" >> "$lines"; fi
done
nice "$venv/bin/python3" "$here/make_models.py" --lines "$1" "$lines"

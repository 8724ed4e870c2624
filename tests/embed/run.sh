#!/bin/sh
# run.sh MODEL_DIR -- make the golden data again with the reference implementation and compare (the `long` preset).
# Builds an environment under build/golden once; needs a package index and about 6 GB of disk.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
venv=$root/build/golden/venv
model=${1:-${SLUICE_MODEL:-$root/build/models/all-MiniLM-L6-v2}}

[ -f "$model/model.safetensors" ] || { echo "SKIP no model in $model: run tools/fetch-model"; exit 77; }
if ! "$venv/bin/python3" -c 'import sentence_transformers' 2>/dev/null; then
    python3 -m venv "$venv" || { echo "SKIP python3 cannot make a venv here"; exit 77; }
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" ||
        { echo "SKIP the reference packages cannot be installed"; exit 77; }
fi
HF_HUB_OFFLINE=1 exec nice "$venv/bin/python3" "$here/make_golden.py" --model "$model" --check

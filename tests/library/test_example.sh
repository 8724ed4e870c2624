#!/bin/sh
# test_example.sh BUILD [FLAGS] -- install the library for programs, build docs/examples/index.c against what was
# installed as docs/LIBRARY.md says, and look at what it prints. FLAGS: what the library was built with besides.
set -eu

build=$1
flags=${2:-}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-library-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

cmake --install "$build" --component dev --prefix "$work/usr" >/dev/null
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name sluice.pc)")
example=$work/usr/share/doc/sluice/examples/index.c
[ "$(wc -l <"$example")" -le 60 ] || fail "the example has more than 60 lines"

# Nothing but what was installed may be used.
# shellcheck disable=SC2046,SC2086
cc -std=c17 -Wall -Wextra -Wpedantic -Werror $flags "$example" -o "$work/index" \
    $(pkg-config --cflags --libs --static sluice)
case $(pkg-config --cflags sluice) in
*"$work"*) ;;
*) fail "pkg-config found another sluice: $(pkg-config --cflags sluice)" ;;
esac

# Every public header can be included by itself.
for header in "$work"/usr/include/sluice/*.h; do
    # shellcheck disable=SC2046
    echo "#include <sluice/${header##*/}>" |
        cc -std=c17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c $(pkg-config --cflags sluice) - ||
        fail "${header##*/} does not stand alone"
done

cat >"$work/expected" <<'END'
colour = "red": a 1.00
colour = "red": b 0.00
exists(colour): c 0.80
exists(colour): b 0.60
END
"$work/index" "$work/notes" >"$work/printed" || fail "the example ends with $?"
diff -u "$work/expected" "$work/printed" || fail "the example prints something else"

# Again on the same directory: nothing is newer, so the second state is there from the start.
"$work/index" "$work/notes" >"$work/again" || fail "the second run ends with $?"
[ "$(sed -n 1p "$work/again")" = 'colour = "red": b 0.60' ] || fail "the second run begins with $(sed -n 1p "$work/again")"

# What the page shows is what was built.
sed -n '/^```c$/,/^```$/{/^```/d;p}' "$root/docs/LIBRARY.md" | diff -u - "$example" ||
    fail "docs/LIBRARY.md shows another example"

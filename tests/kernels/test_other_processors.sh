#!/bin/sh
# test_other_processors.sh -- the kernels of vector codes and of the encoder where this machine cannot run them: NEON on
# an emulated AArch64, and old x86-64 processors that must fall back and not meet an instruction they lack.
#
# Needs a cross compiler and emulators (tools/packages test); says so and ends with 77 without them, or fails when
# CI is set.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-kernels-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

for tool in aarch64-linux-gnu-gcc qemu-aarch64-static qemu-x86_64-static gcc; do
    if ! command -v "$tool" >/dev/null; then
        echo "SKIP no $tool: tools/packages --install test"
        [ -z "${CI:-}" ] || exit 1
        exit 77
    fi
done

# build COMPILER PROGRAM FOLDER: the codec, its kernels from FOLDER and their test, and nothing else
build() {
    "$1" -static -O2 -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Werror \
        -fno-math-errno -I"$root/include" -I"$root/pipeline" -I"$root/tests/support" -o "$work/$2" \
        "$root/pipeline/index/codec.c" "$3"/kernels*.c "$root/pipeline/base/error.c" \
        "$root/tests/support/test.c" "$root/tests/unit/test_codec.c" -lm
}

failed=0

# run EMULATOR PROCESSOR PROGRAM KERNELS [TESTS...]: all pass, and f32 and i8 are compared by KERNELS
run() {
    emulator=$1 processor=$2 program=$3 kernels=$4
    shift 4
    if ! "$emulator" -cpu "$processor" "$work/$program" "$@" >"$work/out" 2>"$work/err"; then
        echo "FAILED on $processor:"
        tail -n 20 "$work/err" "$work/out"
        failed=1
        return
    fi
    found=$(sed -n -e 's/^f32 is compared by //p' -e 's/^i8 is compared by //p' "$work/out" | tr '\n' ' ')
    if [ "$found" = "$kernels " ]; then
        echo "$processor: f32 and i8 by $kernels; $(tail -n 1 "$work/out")"
    else
        echo "FAILED on $processor: f32 and i8 are compared by $found, not by $kernels"
        failed=1
    fi
}

some='codec_choose* codec_every* codec_a_wrong*'
build aarch64-linux-gnu-gcc neon "$root/pipeline/index"
run qemu-aarch64-static max neon 'neon neondot'
# shellcheck disable=SC2086
run qemu-aarch64-static cortex-a53 neon 'neon neon' $some
build gcc x86 "$root/pipeline/index"
run qemu-x86_64-static Nehalem x86 'scalar scalar'
# shellcheck disable=SC2086
{
    run qemu-x86_64-static Haswell x86 'avx2 avx2' $some
    run qemu-x86_64-static Haswell,-f16c x86 'scalar scalar' $some
    run qemu-x86_64-static Haswell,-fma x86 'scalar scalar' $some
}

# build_tiles COMPILER PROGRAM: the encoder's products and kernels, and their test
build_tiles() {
    "$1" -static -O2 -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Werror \
        -fno-math-errno -ffp-contract=fast -I"$root/include" -I"$root/pipeline" -I"$root/tests/support" -o "$work/$2" \
        "$root"/pipeline/embed/tiles*.c "$root/pipeline/embed/kernels.c" "$root/pipeline/embed/linear.c" \
        "$root/pipeline/embed/attention.c" "$root/pipeline/embed/precision.c" "$root/pipeline/base/error.c" \
        "$root/tests/support/test.c" "$root/tests/unit/test_tiles.c" -lm
}

# run_tiles EMULATOR PROCESSOR PROGRAM SET [TESTS...]: all pass, and f32 is first multiplied by SET
run_tiles() {
    emulator=$1 processor=$2 program=$3 set=$4
    shift 4
    if ! "$emulator" -cpu "$processor" "$work/$program" "$@" >"$work/out" 2>"$work/err"; then
        echo "FAILED on $processor, the encoder's products:"
        tail -n 20 "$work/err" "$work/out"
        failed=1
        return
    fi
    found=$(sed -n 's/^f32: //p' "$work/out" | head -n 1)
    if [ "$found" = "$set" ]; then
        echo "$processor: products by $set; $(tail -n 1 "$work/out")"
    else
        echo "FAILED on $processor: f32 is multiplied by $found, not by $set"
        failed=1
    fi
}

build_tiles aarch64-linux-gnu-gcc tiles_arm
run_tiles qemu-aarch64-static cortex-a53 tiles_arm baseline
build_tiles gcc tiles_x86
run_tiles qemu-x86_64-static Nehalem tiles_x86 baseline
run_tiles qemu-x86_64-static Haswell tiles_x86 avx2 'every_tile*' 'gelu*' 'softmax*' 'conversions*'

# Would it notice? NEON kernels that leave out the last 16 values must fail.
mkdir "$work/broken"
cp "$root"/pipeline/index/kernels*.[ch] "$work/broken"
sed 's/i < units; i += 16/i + 16 < units; i += 16/' "$root/pipeline/index/kernels_neon.c" >"$work/broken/kernels_neon.c"
if cmp -s "$root/pipeline/index/kernels_neon.c" "$work/broken/kernels_neon.c"; then
    echo "FAILED: nothing was broken for the control"
    failed=1
fi
build aarch64-linux-gnu-gcc wrong "$work/broken"
# shellcheck disable=SC2086
if qemu-aarch64-static -cpu max "$work/wrong" $some >"$work/out" 2>"$work/err"; then
    echo "FAILED: a NEON kernel that leaves out values passes"
    failed=1
elif ! grep -q 'FAILED codec_every_kernel_agrees' "$work/err"; then
    echo "FAILED: a broken NEON kernel is noticed by something else:"
    tail -n 5 "$work/err"
    failed=1
fi
exit "$failed"

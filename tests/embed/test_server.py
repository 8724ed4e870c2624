"""A real embedding server: llama.cpp's, behind the OpenAI-compatible front of llama-cpp-python, serving the same MiniLM as
the encoder in the process, converted to its own format. Their vectors must be the same (the `long` preset).

Builds the server under build/llama once: five minutes, a package index and a C++ compiler. The conversion needs torch and
transformers, which tests/embed/run.sh installs into build/golden/venv.
"""

import glob
import os
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request

import kafka_broker
import sluice_test

VERSION = "0.3.16"
LLAMA = os.path.join(sluice_test.SOURCE, "build", "llama")
PYTHON = os.path.join(LLAMA, "venv", "bin", "python")
GOLDEN = os.path.join(sluice_test.SOURCE, "build", "golden", "venv", "bin", "python3")
GGUF = os.path.join(LLAMA, "MiniLM.gguf")


def skip(why):
    print("SKIP", why)
    sys.exit(77)


def run(*arguments, **more):
    if subprocess.run(["nice", *arguments], **more).returncode != 0:
        skip(f"{os.path.basename(arguments[0])} {' '.join(arguments[1:4])} ... failed: no package index, or no compiler?")


def build_server():
    run(sys.executable, "-m", "venv", os.path.join(LLAMA, "venv"))
    run(PYTHON, "-m", "pip", "install", "--quiet", f"llama-cpp-python[server]=={VERSION}",
        env={**os.environ, "CMAKE_ARGS": "-DLLAVA_BUILD=OFF", "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1)})


def convert():
    """By the script in the source package, with its own gguf library."""
    source, extra = os.path.join(LLAMA, "source"), os.path.join(LLAMA, "converter")
    run(PYTHON, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python",
        f"llama-cpp-python=={VERSION}", "-d", os.path.join(LLAMA, "sdist"))
    with tarfile.open(glob.glob(os.path.join(LLAMA, "sdist", "*.tar.gz"))[0]) as package:
        package.extractall(source, filter="data")
    vendor, = glob.glob(os.path.join(source, "*", "vendor", "llama.cpp"))
    run(PYTHON, "-m", "pip", "install", "--quiet", "--target", extra, "mistral-common")
    run(GOLDEN, os.path.join(vendor, "convert_hf_to_gguf.py"), sluice_test.MODEL, "--outfile", GGUF, "--outtype", "f32",
        env={**os.environ, "PYTHONPATH": os.path.join(vendor, "gguf-py") + ":" + extra, "HF_HUB_OFFLINE": "1"})


def main():
    if not os.path.exists(os.path.join(sluice_test.MODEL, "model.safetensors")):
        skip(f"no model in {sluice_test.MODEL}: run tools/fetch-model")
    if not os.path.exists(GGUF) and not os.path.exists(GOLDEN):
        skip("no torch in build/golden/venv: run tests/embed/run.sh")
    os.makedirs(LLAMA, exist_ok=True)
    if not os.path.exists(PYTHON) or subprocess.run([PYTHON, "-c", "import llama_cpp.server"],
                                                    stderr=subprocess.DEVNULL).returncode != 0:
        build_server()
    if not os.path.exists(GGUF):
        convert()
    port = kafka_broker.free_port()
    with open(os.path.join(LLAMA, "server.log"), "wb") as log:
        server = sluice_test.spawn(["nice", PYTHON, "-m", "llama_cpp.server", "--model", GGUF, "--embedding", "true",
                                    "--port", str(port), "--n_ctx", "512", "--n_batch", "512"], stdout=log, stderr=log)
    try:
        sluice_test.wait_for(lambda: server.poll() is None and is_up(port), "the server to begin", 120)
        done = subprocess.run([os.path.join(sluice_test.BUILD, "tests", "server_cosine"), f"http://127.0.0.1:{port}/v1",
                               sluice_test.MODEL])
    finally:
        server.kill()
        server.wait()
    sys.exit(done.returncode)


def is_up(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        time.sleep(0.2)
        return False


if __name__ == "__main__":
    main()

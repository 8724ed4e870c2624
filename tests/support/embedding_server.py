"""An embedding server for tests: honest unless told to misbehave, in any of the three protocols.

Texts that share words have vectors that are close. `script(request)` decides about each request: None serves it, a
function that takes (server, handler, request) does something else; the ones below can be had ready made. What was
received stands in `requests`, in `texts` what was served, in `tokens` how many tokens that was (words and signs, and two
more a text).
"""

import base64
import hashlib
import http.server
import json
import math
import re
import socket
import ssl
import struct
import subprocess
import threading

DIM = 24


def count_tokens(text):
    return len(re.findall(r"\w+|[^\w\s]", text)) + 2


def vector_of(text, dim=DIM):
    total = [0.0] * dim
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = hashlib.sha256(word.encode()).digest() * (dim // 16 + 1)
        for i in range(dim):
            total[i] += int.from_bytes(digest[2 * i:2 * i + 2], "little") / 32768 - 1
    norm = math.sqrt(sum(x * x for x in total))
    return [x / norm for x in total]


class Request:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        sent = body.get("inputs", body.get("input")) if isinstance(body, dict) else None
        self.texts = [sent] if isinstance(sent, str) else sent or []
        self.harmless = self.texts == ["a"]


class EmbeddingServer:
    def __init__(self, dim=DIM, certificate=None, address="127.0.0.1"):
        self.dim = dim
        self.requests, self.texts, self.tokens = [], [], 0
        self.script = lambda request: None
        self.honest = honest
        self.count = count_tokens
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.certificate, self.address = certificate, address
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.serve(self)

            def log_message(self, *_):
                pass

        self.handler = Handler
        self.listen(0)

    def listen(self, port):
        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass

        self.server = Server((self.address, port), self.handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.port = self.server.server_port
        self.closed = False
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self):
        """Connections are refused from here on. Returns the port."""
        self.closed = True
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        return self.port

    def serve(self, handler):
        data = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        request = Request(handler.path, dict(handler.headers), json.loads(data))
        with self.lock:
            self.requests.append(request)
        act = reset if self.closed else self.script(request)
        try:
            (act or self.honest)(self, handler, request)
        except OSError:
            handler.close_connection = True

    def vectors(self, request):
        with self.lock:
            self.texts += request.texts
            self.tokens += sum(self.count(text) for text in request.texts)
        return [vector_of(text, self.dim) for text in request.texts]


def send(handler, status, body, headers=()):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    for name, value in headers:
        handler.send_header(name, value)
    if not any(name.lower() == "content-length" for name, value in headers):
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def reply_of(request, vectors, tokens):
    if request.path.endswith("/api/embed"):
        return {"model": "m", "embeddings": vectors, "prompt_eval_count": tokens}
    if request.path.endswith("/embed"):
        return vectors
    return {"object": "list", "model": "m", "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            "data": [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]}


def honest(server, handler, request):
    vectors = server.vectors(request)
    send(handler, 200, reply_of(request, vectors, sum(server.count(t) for t in request.texts)))


def changed(change):
    """Serve what `change(reply)` makes of the honest reply."""
    def act(server, handler, request):
        reply = reply_of(request, [vector_of(t, server.dim) for t in request.texts], 1)
        body = change(reply)
        send(handler, 200, body if isinstance(body, bytes) else json.dumps(body).encode())
    return act


def status(code, headers=(), body=b"no"):
    return lambda server, handler, request: send(handler, code, body, headers)


def reset(server, handler, request):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def hang(server, handler, request):
    server.released.wait()
    handler.close_connection = True


def hang_after_headers(server, handler, request):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    hang(server, handler, request)


def half_body(server, handler, request):
    send(handler, 200, b'{"data": [', [("Content-Length", "1000")])
    handler.close_connection = True


def drip(server, handler, request):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not server.released.wait(1):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def as_base64(reply):
    for item in reply["data"]:
        item["embedding"] = base64.b64encode(struct.pack(f"<{len(item['embedding'])}f", *item["embedding"])).decode()
    return reply


def make_certificate(directory, name):
    """A self-signed certificate and its key in one PEM file."""
    path = f"{directory}/{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.crt", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"], check=True,
                   stderr=subprocess.DEVNULL)
    with open(path, "w", encoding="utf-8") as out:
        for part in ("key", "crt"):
            with open(f"{directory}/{name}.{part}", encoding="utf-8") as one:
                out.write(one.read())
    return path

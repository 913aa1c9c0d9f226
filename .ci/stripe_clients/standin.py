"""The stand-in for the tests of this folder, and an endpoint for its deliveries."""

import contextlib
import http.server
import json
import os
import queue
import subprocess
import threading
import urllib.error
import urllib.request


@contextlib.contextmanager
def running():
    """Run the stand-in that `STRIPE_STANDIN` names; yields what it says of itself."""
    program = os.environ["STRIPE_STANDIN"]
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def call(told, method, path, body=None):
    """Send a request with the secret key, the body as JSON; returns status, headers and JSON."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {told['secret_key']}", "Content-Type": "application/json"}
    request = urllib.request.Request(told["url"] + path, data, headers, method=method)
    # No proxy of this machine's between the two.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


@contextlib.contextmanager
def endpoint():
    """Serve a webhook endpoint; yields its address and the queue of (body, signature) that arrive."""
    arrived = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Takes everything in."""

        def do_POST(self):  # noqa: N802, the name is the library's
            """Answer 200."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.put((body, self.headers["Stripe-Signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", arrived
        finally:
            server.shutdown()
            thread.join()

"""A real HTTP server for one file, which can be told to misbehave."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves `content` at `url`.

    Attributes:
        requests: The Range header of each request so far, None where there was none.
        break_after: Bytes of the answer after which the connection is broken, one entry per request, then no more.
        ranges: Whether the server resumes.
        stalls: Answers that are begun and not gone on with, until the server closes.
        failures: Status codes to answer first.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.requests: list[str | None] = []
        self.break_after: list[int] = []
        self.failures: list[int] = []
        self.ranges = True
        self.stalls = 0
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/pets.zip"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.requests.append(asked)
        if self.failures:
            handler.send_error(self.failures.pop(0))
            return
        body, start = self.content, 0
        if asked and self.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(body):
                handler.send_response(416)
                handler.send_header("Content-Range", f"bytes */{len(body)}")
                handler.end_headers()
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        end = start + self.break_after.pop(0) if self.break_after else len(body)
        handler.wfile.write(body[start:end])
        handler.close_connection = True
        if self.stalls:
            self.stalls -= 1
            handler.wfile.flush()
            self._closing.wait(timeout=30)

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

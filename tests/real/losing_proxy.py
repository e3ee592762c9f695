"""A proxy on 127.0.0.1 that passes requests on to a real server and then loses some of the answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@contextlib.contextmanager
def losing_answers(server: str, path: str) -> Iterator[str]:
    """Yield the proxy's address. What `server` answers to a path with `path` in it never reaches the client. Raises where
    the server refused to do what was asked of it: then nothing was lost."""
    target = urlsplit(server).netloc
    failures: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *line: object) -> None:
            """The request lines are nobody's business."""

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            with contextlib.closing(HTTPConnection(target, timeout=30)) as connection:
                connection.request(self.command, self.path, body=body or None, headers=headers)
                answer = connection.getresponse()
                content = answer.read()
            self.close_connection = True  # and the client must know, or its next request may meet a closing door
            if path in self.path:
                if self.command == "POST" and answer.status >= 300:
                    failures.append(f"{self.command} {self.path}: {answer.status} {content[:500]!r}")
                return  # the server has done its work, and the client will never know
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "content-length", "date", "keep-alive", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _pass_on  # noqa: N815 - the base class calls them so

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}"
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
    assert not failures, f"the server did not do what the test needs: {failures}"

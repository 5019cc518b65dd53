"""A container registry with one image, over plain HTTP on this machine."""

import gzip
import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Registry:
    """Knows every name and tag by the same image of one layer, a tar archive."""

    def __init__(self, layer: bytes) -> None:
        self._blobs: dict[str, bytes] = {}
        config = self._add(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": ["FROM_IMAGE=yes"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        )
        packed = self._add(gzip.compress(layer, mtime=0))
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, **config},
            "layers": [{"mediaType": _LAYER, **packed}],
        }
        self._manifest = json.dumps(manifest).encode()
        self.requests: list[str] = []
        self.released = threading.Event()
        """Until then, whoever asks for a blob of something `/slow/` has to wait."""
        self.address = ""

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        self.requests.append(path)
        if "/slow/" in path and "/blobs/" in path:
            self.released.wait(20)
        if path == "/v2/":
            return 200, "application/json", b"{}"
        if "/manifests/" in path and "/missing/" not in path:
            return 200, _MANIFEST, self._manifest
        if blob := self._blobs.get(path.rpartition("/")[2]):
            return 200, "application/octet-stream", blob
        error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
        return 404, "application/json", json.dumps(error).encode()

    def _add(self, content: bytes | dict[str, Any]) -> dict[str, Any]:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self._blobs[_digest(data)] = data
        return {"digest": _digest(data), "size": len(data)}


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@contextmanager
def serve(layer: bytes) -> Generator[Registry, None, None]:
    registry = Registry(layer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = registry.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.released.set()
        server.shutdown()
        server.server_close()
        thread.join()

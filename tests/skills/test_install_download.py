"""Packages from an https address, from a server with a certificate of its own."""

import datetime
import io
import ssl
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError
from hermes_tui.skills import fetching
from hermes_tui.skills.fetching import package_of
from hermes_tui.skills.packages import Package
from hermes_tui.skills.sources import parse_source

SKILL = "---\nname: pdf\ndescription: Does it.\n---\nBody\n"


def certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    file.write_bytes(secret + made.public_bytes(pem))
    return file


class Handler(BaseHTTPRequestHandler):
    """Serves one package, and addresses that lead elsewhere."""

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            target = {"pdf": "/pdf.zip", "plain": "http://127.0.0.1:1/pdf.zip", "round": self.path}
            self.send_header("Location", target[self.path.removeprefix("/to/").split(".")[0]])
            self.end_headers()
            return
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("pdf/SKILL.md", SKILL)
            archive.writestr("noise", b"x" * 200_000 if self.path == "/large.zip" else b"")
        is_there = self.path in {"/pdf.zip", "/large.zip"}
        self.send_response(200 if is_there else 404)
        self.end_headers()
        self.wfile.write(content.getvalue())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


async def fetched(address: str) -> Package:
    with anyio.fail_after(50):
        return await package_of(parse_source(address, {}))


async def test_an_archive_is_fetched_also_where_an_address_leads_to_it(server: str) -> None:
    for path in ("pdf.zip", "to/pdf.zip"):
        (parcel,) = (await fetched(f"{server}/{path}")).parcels
        assert parcel.folder == "pdf"
    (parcel,) = (await fetched(f"{server}/pdf.zip#pdf")).parcels
    assert parcel.folder == ""


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("missing.zip", NotFoundError, "answers 404"),
        ("to/plain.zip", ConfigError, "not https"),
        ("to/round.zip", HermesError, "leads on and on"),
    ],
)
async def test_what_cannot_be_had_says_so(
    server: str, path: str, kind: type[HermesError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        await fetched(f"{server}/{path}")


async def test_a_download_stops_at_what_a_package_may_hold(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_PACKAGE_BYTES", 100_000)
    with pytest.raises(ConfigError, match="has more than"):
        await fetched(f"{server}/large.zip")


async def test_a_certificate_nobody_vouches_for_is_refused(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(HermesError, match="cannot be reached"):
        await fetched(f"{server}/pdf.zip")

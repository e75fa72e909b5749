"""An S3 service on loopback that speaks TLS (moto), as pgBackRest demands."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from coachops.core import clock


@contextlib.contextmanager
def s3_over_tls(folder: Path, bucket: str) -> Iterator[dict[str, str]]:
    """Serve an empty `bucket`; yields the environment that leads programs there.

    Parameters:
        folder: for the certificate, readable by the server's user.
    """
    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        """Ends each TLS connection as TLS wants it, which this server forgets."""

        protocol_version = "HTTP/1.1"

        def finish(self) -> None:
            super().finish()
            with contextlib.suppress(OSError, ssl.SSLError, ValueError):
                self.request.unwrap()

        def log_request(self, *_: object) -> None:
            pass

    certificate, key = _certificate(folder)
    server = make_server(
        "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True,
        request_handler=Handler, ssl_context=(str(certificate), str(key)),
    )  # fmt: skip
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    environment = {
        "AWS_ENDPOINT_URL": f"https://localhost:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test-key",
        "AWS_SECRET_ACCESS_KEY": "test-secret",
        "AWS_REGION": "us-east-1",
        "AWS_CA_BUNDLE": str(certificate),
    }
    try:
        client = boto3.client(
            "s3", endpoint_url=environment["AWS_ENDPOINT_URL"], verify=str(certificate),
            aws_access_key_id="test-key", aws_secret_access_key="test-secret",
            region_name="us-east-1",
        )  # fmt: skip
        client.create_bucket(Bucket=bucket)
        client.close()
        yield environment
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    day = dt.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(1)
        .not_valid_before(clock.now() - day)
        .not_valid_after(clock.now() + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    certificate.chmod(0o644)
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key

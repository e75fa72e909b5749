"""An S3 service on loopback (moto), with users whose keys it checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class S3Server:
    """A running service with one bucket.

    Attributes:
        url: its address, for `AWS_ENDPOINT_URL`.
        bucket: its name.
    """

    url: str
    bucket: str

    def environment(self) -> dict[str, str]:
        """What a program needs to reach it with good keys."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test-key",
            "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_DEFAULT_REGION": "eu-west-2",
        }


def start_s3(bucket: str = "coachops-backups") -> Iterator[S3Server]:
    """Start the service in this process on a free port, with an empty bucket; stopped at the end."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    running = S3Server(f"http://{host}:{port}", bucket)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in running.environment().items():
                patch.setenv(name, value)
            client = boto3.client("s3", endpoint_url=running.url)
            client.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
            )
            client.close()
        yield running
    finally:
        server.stop()

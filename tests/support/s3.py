"""An S3 service on loopback (moto), with users whose keys it checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


class Bucket:
    """The bucket as another program sees it."""

    def __init__(self, s3: S3Server) -> None:
        import boto3

        self.url, self.name = f"s3://{s3.bucket}", s3.bucket
        self.client = boto3.client("s3", endpoint_url=s3.url)

    def names(self, prefix: str = "") -> set[str]:
        """The names of the objects below a prefix."""
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return {each["Key"] for each in found.get("Contents", [])}

    def put(self, name: str, **more: Any) -> None:
        """An object of somebody else."""
        self.client.put_object(Bucket=self.name, Key=name, Body=b"theirs", **more)

    def remove(self, *names: str) -> None:
        """Remove these objects."""
        for name in names:
            self.client.delete_object(Bucket=self.name, Key=name)

    def fetch(self, prefix: str, folder: Path) -> Path:
        """Copy what lies below a prefix into a folder."""
        for name in self.names(f"{prefix}/"):
            path = folder / name.removeprefix(f"{prefix}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            self.client.download_file(self.name, name, str(path))
        return folder


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

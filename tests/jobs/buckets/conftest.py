"""An installation that exports into a bucket of a service on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.core.settings import Settings, load_settings
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.support.s3 import Bucket, S3Server, start_s3


@pytest.fixture(scope="package")
def s3() -> Iterator[S3Server]:
    yield from start_s3("coaching-exports")


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The bucket, empty, as another program sees it."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    bucket = Bucket(s3)
    bucket.remove(*bucket.names())
    yield bucket
    bucket.client.close()


@pytest.fixture
def settings(
    home: Path, backend: str, new_database_url: Callable[..., str], s3: S3Server
) -> Settings:
    return load_settings(
        home=home, database_url=new_database_url(backend), export_url=f"s3://{s3.bucket}/exports"
    )


@pytest.fixture
def services(settings: Settings, bucket: Bucket) -> Iterator[Services]:
    opened = open_services(settings)
    yield opened
    opened.close()


@pytest.fixture
def pair(services: Services) -> Pair:
    pair = make_pair(services.database)
    make_transcript(services.database, pair)
    return pair

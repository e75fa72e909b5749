"""The running suite and one Chromium for all tests of this folder."""

from tests.support.suite import chromium, running_suite

__all__ = ["chromium", "running_suite"]

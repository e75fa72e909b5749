"""Tests with the running suite in a browser. A package, so that its suite ends with its last test."""

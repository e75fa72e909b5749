"""Tests of the running gate. A package, so that its suite ends with its last test."""

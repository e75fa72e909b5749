"""The engines: each returns the same typed result for the same request."""

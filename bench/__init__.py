"""Benchmarks: `just bench AREA`."""

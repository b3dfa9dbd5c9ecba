"""Benchmarks: ratios against what people would write by hand, measured in one run."""

from __future__ import annotations

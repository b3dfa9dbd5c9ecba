"""Tests of circuitos/script."""

from __future__ import annotations

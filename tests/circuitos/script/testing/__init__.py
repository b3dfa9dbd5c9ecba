"""Tests of circuitos/script/testing."""

from __future__ import annotations

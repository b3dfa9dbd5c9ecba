"""Query counts as checked-in numbers: a page that asks more often than it did fails its test.

``UPDATE_QUERY_COUNTS=1`` records them anew.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import connection
from django.test.utils import CaptureQueriesContext

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = Path(__file__).parent / "query_counts.json"


@contextmanager
def counted(name: str) -> Iterator[None]:
    """The block asks the database as often as ``query_counts.json`` says."""
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    with CaptureQueriesContext(connection) as queries:
        yield
    if os.environ.get("UPDATE_QUERY_COUNTS"):
        recorded[name] = len(queries)
        RECORDED.write_text(json.dumps(dict(sorted(recorded.items())), indent=2) + "\n")
        return
    asked = "\n".join(query["sql"][:300] for query in queries)
    assert len(queries) == recorded.get(name), (
        f"{name} was recorded with {recorded.get(name)} queries:\n{asked}"
    )
    assert not any("COUNT(*)" in query["sql"] and "FILTER" not in query["sql"] for query in queries), asked

"""A callout as the curl command that repeats it, from the masked trace: secrets stay ``{{secret:NAME}}``."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping


def as_curl(args: Mapping[str, Any]) -> str:
    """The command; "" when the effect is no request. What the trace masked or shortened is so here too."""
    url = str(args.get("url") or "")
    if not url:
        return ""
    params = args.get("params")
    if isinstance(params, dict) and params:
        url += ("&" if "?" in url else "?") + urlencode(params, doseq=True, safe="{}:*@")
    method = str(args.get("method") or "GET").upper()
    parts = ["curl", "-sS", "-X", shlex.quote(method), shlex.quote(url)]
    headers = args.get("headers")
    headers = dict(headers) if isinstance(headers, dict) else {}
    body = ""
    if args.get("json") is not None:
        body = json.dumps(args["json"], ensure_ascii=False)
        if "content-type" not in {str(name).lower() for name in headers}:
            headers["content-type"] = "application/json"
    elif args.get("body"):
        body = str(args["body"])
    for name, value in headers.items():
        parts += ["\\\n  -H", shlex.quote(f"{name}: {value}")]
    if body:
        parts += ["\\\n  --data-raw", shlex.quote(body)]
    return " ".join(parts)


def is_shortened(value: Any) -> bool:
    """Whether the trace left something of it out, so that the command is not the whole request."""
    if isinstance(value, dict):
        return "…" in value or any(map(is_shortened, value.values()))
    if isinstance(value, list):
        return any(map(is_shortened, value))
    return isinstance(value, str) and (value.startswith("… ") or value.endswith(("…", " bytes>")))

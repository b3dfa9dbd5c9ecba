"""The environment, read once and typed; a wrong value stops the start with a sentence that names it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE_DIR = Path(__file__).resolve().parent.parent
INSECURE_SECRET = "insecure-development-key-not-for-production-0123456789"  # noqa: S105
# 32 zero bytes, base64: recognisable, so production can refuse it.
INSECURE_ENCRYPTION_KEY = "dev:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


class BadEnvironment(Exception):
    """A variable of the environment has a value we cannot use."""


@dataclass(frozen=True, kw_only=True)
class Env:
    """Every variable of CONTRACT 6 that this version reads."""

    debug: bool
    environment: str
    secret_key: str
    field_encryption_keys: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    base_domain: str
    public_url: str
    trusted_proxies: tuple[str, ...]
    database_url: str
    redis_url: str
    port: int
    home: Path
    scripts: tuple[Path, ...]
    jail: str
    reload: bool
    openai_api_key: str
    openai_base_url: str
    openai_model: str
    sentry_dsn: str
    census_api_key: str
    census_base_url: str
    egress_allow: tuple[str, ...]
    gohighlevel_public_keys: tuple[str, ...]
    hubspot_client_secret: str


def read(environ: Mapping[str, str]) -> Env:
    """Read and check ``environ``. Raises ``BadEnvironment`` naming the variable."""
    debug = _flag(environ, "DEBUG", default=False)
    home = Path(environ.get("CIRCUITOS_HOME") or BASE_DIR / ".circuitos")
    return Env(
        debug=debug,
        environment=environ.get("ENVIRONMENT", "development" if debug else "production"),
        secret_key=environ.get("SECRET_KEY", INSECURE_SECRET),
        field_encryption_keys=_list(environ, "FIELD_ENCRYPTION_KEYS", INSECURE_ENCRYPTION_KEY),
        allowed_hosts=_list(environ, "ALLOWED_HOSTS", "*"),
        base_domain=environ.get("BASE_DOMAIN", "localhost"),
        public_url=_url(environ, "PUBLIC_URL", schemes=("http", "https")).rstrip("/"),
        trusted_proxies=_list(environ, "TRUSTED_PROXIES", ""),
        database_url=_url(environ, "DATABASE_URL", schemes=("postgres", "postgresql")),
        redis_url=_url(environ, "REDIS_URL", schemes=("redis", "rediss", "unix")),
        port=_integer(environ, "PORT", default=8000, low=1, high=65535),
        home=home,
        scripts=tuple(Path(part) for part in environ.get("CIRCUITOS_SCRIPTS", "").split(os.pathsep) if part),
        jail=_choice(environ, "JAIL", ("strict", "basic")),
        reload=_flag(environ, "CIRCUITOS_RELOAD", default=False),
        openai_api_key=environ.get("OPENAI_API_KEY", ""),
        openai_base_url=_url(environ, "OPENAI_BASE_URL", schemes=("http", "https")),
        openai_model=environ.get("OPENAI_MODEL", "gpt-4o-mini"),
        sentry_dsn=environ.get("SENTRY_DSN", ""),
        census_api_key=environ.get("CENSUS_API_KEY", ""),
        census_base_url=_url(environ, "CENSUS_BASE_URL", schemes=("http", "https"))
        or "https://api.census.gov/data/2023/acs/acs5",
        egress_allow=_list(environ, "EGRESS_ALLOW", ""),
        gohighlevel_public_keys=_list(environ, "GOHIGHLEVEL_PUBLIC_KEYS", ""),
        hubspot_client_secret=environ.get("HUBSPOT_CLIENT_SECRET", ""),
    )


@cache
def env() -> Env:
    """The process's environment, read on first use."""
    return read(os.environ)


def database(url: str) -> dict[str, object]:
    """Django's ``DATABASES`` entry for a ``postgres://`` address; ``?host=`` names a socket folder."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    host = query.pop("host", None) or unquote(parts.hostname or "")
    return {
        "ENGINE": "django_tenants.postgresql_backend",
        "NAME": unquote(parts.path.lstrip("/")) or "circuitos",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or query.pop("port", "") or ""),
        "OPTIONS": query,
    }


def celery_broker(url: str) -> str:
    """Celery's spelling of a Redis address: redis-py says ``unix://``, kombu ``redis+socket://``."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    number = parse_qs(parts.query).get("db", ["0"])[-1]
    return f"redis+socket://{parts.path}?virtual_host={number}"


def _flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environ.get(name, "").strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value:
        raise BadEnvironment(f"{name} is {value!r}; write 1 or 0.")
    return default


def _integer(environ: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    value = environ.get(name, "").strip()
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise BadEnvironment(f"{name} is {value!r}; write a whole number from {low} to {high}.")
    return int(value)


def _choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = environ.get(name, "") or choices[0]
    if value not in choices:
        raise BadEnvironment(f"{name} is {value!r}; write one of {', '.join(choices)}.")
    return value


def _list(environ: Mapping[str, str], name: str, default: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environ.get(name, default).split(",") if part.strip())


def _url(environ: Mapping[str, str], name: str, *, schemes: tuple[str, ...]) -> str:
    value = environ.get(name, "").strip()
    if value and urlsplit(value).scheme not in schemes:
        raise BadEnvironment(f"{name} must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
    return value

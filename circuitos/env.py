"""The environment, read once and typed; a wrong value stops the start with a sentence that names it."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE_DIR = Path(__file__).resolve().parent.parent
INSECURE_SECRET = "insecure-development-key-not-for-production-0123456789"  # noqa: S105
SHORTEST_SECRET = 32
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
    ai_prices: Mapping[str, tuple[Decimal, Decimal]]  # dollars for a million tokens in, and out
    sentry_dsn: str
    email_url: str
    upgrade_url: str
    census_api_key: str
    census_base_url: str
    egress_allow: tuple[str, ...]
    gohighlevel_public_keys: tuple[str, ...]
    gohighlevel_client_id: str
    gohighlevel_client_secret: str
    gohighlevel_app_id: str
    hubspot_client_id: str
    hubspot_client_secret: str
    gohighlevel_api_url: str
    hubspot_api_url: str
    gohighlevel_authorize_url: str
    hubspot_authorize_url: str


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
        ai_prices=_prices(environ, "AI_PRICES"),
        sentry_dsn=environ.get("SENTRY_DSN", ""),
        email_url=_url(environ, "EMAIL_URL", schemes=("smtp", "smtps", "smtp+tls", "console")),
        upgrade_url=_url(environ, "UPGRADE_URL", schemes=("http", "https", "mailto")),
        census_api_key=environ.get("CENSUS_API_KEY", ""),
        census_base_url=_url(environ, "CENSUS_BASE_URL", schemes=("http", "https"))
        or "https://api.census.gov/data/2023/acs/acs5",
        egress_allow=_list(environ, "EGRESS_ALLOW", ""),
        gohighlevel_public_keys=_list(environ, "GOHIGHLEVEL_PUBLIC_KEYS", ""),
        gohighlevel_client_id=environ.get("GOHIGHLEVEL_CLIENT_ID", ""),
        gohighlevel_client_secret=environ.get("GOHIGHLEVEL_CLIENT_SECRET", ""),
        gohighlevel_app_id=environ.get("GOHIGHLEVEL_APP_ID", ""),
        hubspot_client_id=environ.get("HUBSPOT_CLIENT_ID", ""),
        hubspot_client_secret=environ.get("HUBSPOT_CLIENT_SECRET", ""),
        gohighlevel_api_url=_url(environ, "GOHIGHLEVEL_API_URL", schemes=("http", "https")).rstrip("/")
        or "https://services.leadconnectorhq.com",
        hubspot_api_url=_url(environ, "HUBSPOT_API_URL", schemes=("http", "https")).rstrip("/")
        or "https://api.hubapi.com",
        gohighlevel_authorize_url=_url(environ, "GOHIGHLEVEL_AUTHORIZE_URL", schemes=("http", "https"))
        or "https://marketplace.gohighlevel.com/oauth/chooselocation",
        hubspot_authorize_url=_url(environ, "HUBSPOT_AUTHORIZE_URL", schemes=("http", "https"))
        or "https://app.hubspot.com/oauth/authorize",
    )


@cache
def env() -> Env:
    """The process's environment, read on first use."""
    return read(os.environ)


@dataclass(frozen=True)
class Fault:
    """Something about the environment that production does not start with."""

    number: str
    sentence: str
    hint: str


def faults(found: Env) -> list[Fault]:
    """What keeps ``found`` out of production: defaults that everyone knows, keys nobody can use."""
    told = []
    if found.secret_key == INSECURE_SECRET or len(found.secret_key) < SHORTEST_SECRET:
        told.append(
            Fault("E001", "SECRET_KEY is not set, or too short.", "Set it to 50 or more random characters.")
        )
    if INSECURE_ENCRYPTION_KEY in found.field_encryption_keys:
        hint = "Set id:base64 of 32 random bytes; put a new key first, keep the old ones behind it."
        told.append(Fault("E002", "FIELD_ENCRYPTION_KEYS is not set.", hint))
    if not all(_is_key(key) for key in found.field_encryption_keys):
        hint = "Write id:base64 of 32 bytes, several parted by commas."
        told.append(Fault("E003", "FIELD_ENCRYPTION_KEYS holds something that is no key.", hint))
    if not found.database_url:
        told.append(Fault("E004", "DATABASE_URL is not set.", "Set postgres://user:password@host/name."))
    if found.debug:
        told.append(Fault("E005", "DEBUG is on.", "Leave DEBUG unset."))
    return told


def refuse_insecure(found: Env) -> None:
    """Raise ``BadEnvironment`` when this is production and has a fault."""
    if found.environment == "production" and (told := faults(found)):
        raise BadEnvironment(" ".join(f"{fault.sentence} {fault.hint}" for fault in told))


def _is_key(text: str) -> bool:
    name, _, encoded = text.partition(":")
    try:
        return bool(name) and len(base64.b64decode(encoded, validate=True)) == 32
    except ValueError:
        return False


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


@dataclass(frozen=True, kw_only=True)
class Mail:
    """How e-mail leaves."""

    backend: str
    host: str
    port: int
    user: str
    password: str
    is_tls: bool
    starts_tls: bool
    sender: str


def mail(url: str) -> Mail:
    """``smtp://user:password@host:port?from=address``; ``smtps://`` is TLS from the start, ``smtp+tls://``
    STARTTLS, ``console://`` prints; empty sends nothing.
    """
    parts = urlsplit(url)
    kind = "console" if parts.scheme == "console" else "smtp" if url else "dummy"
    return Mail(
        backend=f"django.core.mail.backends.{kind}.EmailBackend",
        host=parts.hostname or "localhost",
        port=parts.port or {"smtps": 465, "smtp+tls": 587}.get(parts.scheme, 25),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        is_tls=parts.scheme == "smtps",
        starts_tls=parts.scheme == "smtp+tls",
        sender=parse_qs(parts.query).get("from", ["circuitos@localhost"])[-1],
    )


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


def _prices(environ: Mapping[str, str], name: str) -> dict[str, tuple[Decimal, Decimal]]:
    prices = {}
    for entry in _list(environ, name, ""):
        model, _, both = entry.partition("=")
        into, _, out = both.partition("/")
        try:
            price = Decimal(into), Decimal(out)
            fits = all(amount.is_finite() and 0 <= amount <= 100_000 for amount in price)
        except InvalidOperation:
            fits = False
        if not model.strip() or not fits:
            raise BadEnvironment(
                f"{name} holds {entry!r}; write model=in/out in dollars for a million tokens, as in"
                " gpt-4o-mini=0.15/0.60, several parted by commas."
            )
        prices[model.strip()] = price
    return prices


def _url(environ: Mapping[str, str], name: str, *, schemes: tuple[str, ...]) -> str:
    value = environ.get(name, "").strip()
    if value and urlsplit(value).scheme not in schemes:
        raise BadEnvironment(f"{name} must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
    return value

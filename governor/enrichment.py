"""Enrichment: public facts about many keys at once, from a cache, one batched call, or the shipped table.

``census`` answers for US ZIP codes. With an API key it asks the Census Bureau's ACS 5-year estimates, all
ZIP codes in one call; without one, or when the Bureau does not answer, the shipped table does, and the
result says so. This product uses the Census Bureau Data API but is not endorsed or certified by the
Census Bureau.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from governor.data import zips
from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

# Negative answers are kept as long: a ZIP code the Bureau does not know today will be unknown tomorrow.
KEPT = timedelta(days=30)
# 900 five-digit codes and their commas are 5.4 kB; the Bureau's server refuses addresses over 8 kB.
ZIPS_A_CALL = 900
INCOME, POPULATION, AGE = "B19013_001E", "B01003_001E", "B01002_001E"
AREA = "zip code tabulation area"
# Median household income, dollars.
HIGH_INCOME, MEDIUM_INCOME = 75_000, 50_000
# The shipped table ranks ZIP codes by wages per person, which follow median income loosely (rank
# correlation .81). About a third of ZIP codes have a median income over $75,000; the top quarter is called
# high, so that the weaker source rather misses an affluent place than invents one.
HIGH_PERCENTILE, MEDIUM_PERCENTILE = 75, 40


class UnknownSource(CodedError):
    """No enrichment source has this name."""

    code = "governor.unknown-source"
    status = 400


class Fetch(Protocol):
    """The broker's way out: counted, journalled. ``secret`` is added to the query and shown nowhere.

    Raises ``OSError`` when the other side cannot be reached.
    """

    def __call__(self, url: str, *, secret: str) -> tuple[int, bytes]: ...


@dataclass(frozen=True, slots=True)
class Enriched:
    """Facts by key (None: nothing is known), and what it took to get them."""

    facts: dict[str, dict[str, Any] | None]
    requests: int = 0  # provider requests made
    cached: int = 0  # keys the cache answered
    is_offline: bool = False  # the shipped table answered for at least one key
    problem: str = ""  # why the provider did not, in a sentence


@dataclass(slots=True)
class Live:
    """The provider's answers: facts by ZIP code; None where it does not know the code."""

    facts: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    requests: int = 0
    problem: str = ""


def zip_of(postal_code: object, country: object = None) -> str | None:
    """The five-digit US ZIP code in a CRM's postal code, or None.

    ZIP+4 is cut; a number or a text that lost its leading zeros to a spreadsheet gets them back.
    """
    if country and str(country).strip().upper() not in {"US", "USA", "UNITED STATES", "PR"}:
        return None
    match = re.fullmatch(r"\s*([0-9]{3,5})(?:[- ]?[0-9]{4})?\s*", str(postal_code)) if postal_code else None
    return match[1].zfill(5) if match else None


def enrich(
    source: str,
    keys: Iterable[str],
    *,
    fetch: Fetch,
    at: datetime,
    cursor: Any,
    base_url: str,
    api_key: str,
) -> Enriched:
    """Facts for every key. One provider request answers all keys that the cache does not hold.

    ``cursor`` is the caller's; the new answers are part of its transaction. A caller that must not wait for
    the network with a cursor in hand calls the four steps itself. Raises ``UnknownSource``, and what
    ``fetch`` raises beyond ``OSError``.
    """
    check(source)
    wanted = sorted(set(keys))
    known = cached(cursor, source, wanted, at=at) if api_key else {}
    missing = [key for key in wanted if key not in known] if api_key else []
    live = ask(missing, fetch=fetch, base_url=base_url, api_key=api_key)
    keep(cursor, source, live.facts, at=at)
    return combine(wanted, known, live, base_url=base_url)


def check(source: str) -> None:
    """Raise ``UnknownSource`` unless there is such a source."""
    if source != "census":
        raise UnknownSource(f"No enrichment source is called {source!r}; there are 'census' and 'activity'.")


def cached(
    cursor: Any, source: str, keys: Sequence[str], *, at: datetime
) -> dict[str, dict[str, Any] | None]:
    """The first step: what is known and not yet expired. None in it is a known "no answer"."""
    check(source)
    if not keys:
        return {}
    cursor.execute(
        "SELECT key, data::text FROM public.governor_enrichment"
        " WHERE source = %s AND key = ANY(%s) AND expires_at > %s",
        [source, list(keys), at],
    )
    return {key: json.loads(data) if data else None for key, data in cursor.fetchall()}


def ask(codes: Sequence[str], *, fetch: Fetch, base_url: str, api_key: str) -> Live:
    """The second step, without the database: one request for all codes (one for each 900)."""
    live = Live()
    for start in range(0, len(codes), ZIPS_A_CALL):
        some = codes[start : start + ZIPS_A_CALL]
        area = f"{AREA}:{','.join(some)}".replace(" ", "%20")
        url = f"{base_url.rstrip('/')}?get=NAME,{INCOME},{POPULATION},{AGE}&for={area}"
        live.requests += 1
        try:
            status, body = fetch(url, secret=f"key={api_key}")
            rows = _parse(status, body)
        except OSError as error:
            live.problem = f"The census could not be reached ({type(error).__name__})."
            return live
        except ValueError as error:
            live.problem = str(error)
            return live
        live.facts.update({code: rows.get(code) for code in some})
    return live


def keep(cursor: Any, source: str, facts: Mapping[str, dict[str, Any] | None], *, at: datetime) -> None:
    """The third step: remember the provider's answers for 30 days."""
    if not facts:
        return
    # Sorted, so that two workers that learn the same keys lock them in the same order.
    keys = sorted(facts)
    data = [json.dumps(facts[key]) if facts[key] is not None else None for key in keys]
    cursor.execute(
        "INSERT INTO public.governor_enrichment (source, key, data, expires_at)"
        " SELECT %s, key, data::jsonb, %s FROM unnest(%s::text[], %s::text[]) AS learned (key, data)"
        " ON CONFLICT (source, key) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at",
        [source, at + KEPT, keys, data],
    )


def combine(
    wanted: Sequence[str], known: Mapping[str, dict[str, Any] | None], live: Live, *, base_url: str
) -> Enriched:
    """The last step: figures with centroids, and the shipped table where the provider did not answer."""
    answers = {**known, **live.facts}
    vintage = _vintage(base_url)
    return Enriched(
        facts={
            key: _merge(key, answers[key], vintage) if key in answers else _from_table(key) for key in wanted
        },
        requests=live.requests,
        cached=len(known),
        is_offline=len(answers) < len(wanted),
        problem=live.problem,
    )


def affluence_of_income(median_income: float | None) -> str | None:
    """``high`` over $75,000, ``medium`` over $50,000, else ``low``."""
    if median_income is None:
        return None
    if median_income > HIGH_INCOME:
        return "high"
    return "medium" if median_income > MEDIUM_INCOME else "low"


def affluence_of_percentile(percentile: int | None) -> str | None:
    """The same three words from the shipped table's ranks."""
    if percentile is None:
        return None
    if percentile >= HIGH_PERCENTILE:
        return "high"
    return "medium" if percentile >= MEDIUM_PERCENTILE else "low"


def _parse(status: int, body: bytes) -> dict[str, dict[str, Any]]:
    """The answer's rows by ZIP code. Raises ``ValueError`` with a sentence."""
    if status == 204:  # none of the codes is known to the Bureau
        return {}
    if status != 200:
        raise ValueError(f"The census answered {status}.")
    try:
        header, *rows = json.loads(body)
        at = {name: header.index(name) for name in (INCOME, POPULATION, AGE, AREA)}
        return {
            row[at[AREA]]: {
                "median_income": _figure(row[at[INCOME]]),
                "population": _figure(row[at[POPULATION]]),
                "median_age": _figure(row[at[AGE]]),
            }
            for row in rows
        }
    except (ValueError, TypeError, IndexError, KeyError, AttributeError):
        # A wrong key, for one, is answered 200 with a page of HTML.
        raise ValueError("The census answered something other than a table; is the API key right?") from None


def _figure(text: str | None) -> float | None:
    """A figure of the ACS; its negative sentinels (−666666666 and others) mean there is no estimate."""
    value = float(text) if text is not None else -1.0
    if value < 0:
        return None
    return int(value) if value.is_integer() else value


def _merge(code: str, answer: Mapping[str, Any] | None, vintage: str) -> dict[str, Any] | None:
    """The Bureau's figures with the table's centroid: ACS has no coordinates."""
    place = zips.find(code)
    if place is None and answer is None:
        return None
    figures = answer or {}
    return {
        "zip": code,
        "latitude": place.latitude if place else None,
        "longitude": place.longitude if place else None,
        "population": figures.get("population"),
        "median_income": figures.get("median_income"),
        "median_age": figures.get("median_age"),
        "affluence": affluence_of_income(figures.get("median_income")),
        "source": vintage,
    }


def _from_table(code: str) -> dict[str, Any] | None:
    place = zips.find(code)
    if place is None:
        return None
    return {
        "zip": code,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "population": place.population,
        "wages_percentile": place.wages_percentile,
        "affluence": affluence_of_percentile(place.wages_percentile),
        "source": "zip-table",
    }


def _vintage(base_url: str) -> str:
    year = re.search(r"/(20[0-9]{2})/", base_url)
    return f"acs5-{year[1]}" if year else "acs5"

"""Census facts: one call for all ZIP codes, remembered, and the shipped table when there is no answer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from werkzeug import Request, Response

from governor import enrichment
from governor.data import build, zips
from governor.models import Enrichment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_httpserver import HTTPServer

AT = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)
KEY = "census-key"
AREA = "zip code tabulation area"
HEADER = ["NAME", "B19013_001E", "B01003_001E", "B01002_001E", AREA]
ROWS = {
    "75024": ["ZCTA5 75024", "115724", "42512", "35.1", "75024"],
    "75025": ["ZCTA5 75025", "60000", "53000", "36.0", "75025"],
    "10001": ["ZCTA5 10001", "-666666666", "0", "-666666666.0", "10001"],
}


class Census:
    """A census on loopback with the Bureau's shapes: it answers with the rows it has."""

    def __init__(self, server: HTTPServer) -> None:
        self.base_url = server.url_for("/data/2023/acs/acs5")
        self.queries: list[dict[str, list[str]]] = []
        self.addresses: list[str] = []
        self.answer: Response | None = None
        server.expect_request("/data/2023/acs/acs5").respond_with_handler(self._handle)

    def _handle(self, request: Request) -> Response:
        self.addresses.append(request.url)
        query = parse_qs(urlsplit(request.url).query)
        self.queries.append(query)
        if self.answer is not None:
            return self.answer
        asked = query["for"][0].removeprefix(f"{AREA}:").split(",")
        rows = [ROWS[code] for code in asked if code in ROWS]
        return Response(json.dumps([HEADER, *rows]), status=200) if rows else Response(status=204)


@pytest.fixture
def census(httpserver: HTTPServer) -> Census:
    return Census(httpserver)


def fetch(url: str, *, secret: str) -> tuple[int, bytes]:
    """A real request; what the broker does, without its counting."""
    try:
        with urllib.request.urlopen(f"{url}&{secret}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def must_not_fetch(url: str, *, secret: str) -> tuple[int, bytes]:
    raise AssertionError("nobody was to be asked")


def enrich(
    codes: list[str],
    census: Census | None = None,
    *,
    at: datetime = AT,
    asking: Callable[..., tuple[int, bytes]] = fetch,
    api_key: str = KEY,
) -> enrichment.Enriched:
    with connection.cursor() as cursor:
        return enrichment.enrich(
            "census",
            codes,
            fetch=asking,
            at=at,
            cursor=cursor,
            base_url=census.base_url if census else "http://127.0.0.1:9",  # nobody listens there
            api_key=api_key,
        )


@pytest.mark.django_db
class TestCensus:
    def test_many_zip_codes_are_one_request_in_the_bureaus_shape(self, census):
        found = enrich(["75025", "75024", "75024"], census)

        assert found.requests == 1
        assert census.queries == [
            {
                "get": ["NAME,B19013_001E,B01003_001E,B01002_001E"],
                "for": ["zip code tabulation area:75024,75025"],
                "key": [KEY],
            }
        ]
        assert found.facts["75024"] == {
            "zip": "75024",
            "latitude": 33.0779,
            "longitude": -96.811,
            "population": 42512,
            "median_income": 115724,
            "median_age": 35.1,
            "affluence": "high",
            "source": "acs5-2023",
        }
        assert found.facts["75025"]["affluence"] == "medium"

    def test_negative_figures_mean_no_estimate(self, census):
        facts = enrich(["10001"], census).facts["10001"]

        assert (facts["median_income"], facts["median_age"], facts["affluence"]) == (None, None, None)
        assert facts["population"] == 0

    def test_answers_are_remembered_for_30_days(self, census):
        first = enrich(["75024"], census)

        again = enrich(["75024"], asking=must_not_fetch, at=AT + timedelta(days=29, hours=23))
        later = enrich(["75024"], census, at=AT + timedelta(days=30))

        assert again.facts["75024"]["median_income"] == first.facts["75024"]["median_income"]
        assert (again.requests, again.cached) == (0, 1)
        assert (later.requests, later.cached) == (1, 0)

    def test_no_answer_is_remembered_too(self, census):
        assert enrich(["00000", "99999"], census).facts == {"00000": None, "99999": None}

        again = enrich(["00000"], asking=must_not_fetch)

        assert again.facts == {"00000": None}
        assert Enrichment.objects.get(pk=("census", "00000")).data is None

    def test_only_what_is_not_known_is_asked(self, census):
        enrich(["75024"], census)

        enrich(["75024", "75025"], census)

        assert census.queries[-1]["for"] == ["zip code tabulation area:75025"]

    def test_a_zip_code_without_an_area_has_its_centroid(self, census):
        # 00611 is a post-office box: the Bureau publishes no figures for it.
        facts = enrich(["00611"], census).facts["00611"]

        assert facts["latitude"] == pytest.approx(18.3, abs=0.2)
        assert facts["affluence"] is None

    def test_two_hundred_leads_are_one_request_and_a_thousand_stay_within_8_kilobytes(self, census):
        codes = [f"{number:05d}" for number in range(10_000, 11_100)]

        assert enrich(codes[:200], census).requests == 1
        assert enrich(codes, census).requests == 1  # 900 not known yet
        assert max(len(address) for address in census.addresses) < 8_000

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            (Response("busy", status=503), "answered 503"),
            (Response("<html>Invalid Key</html>", status=200), "API key"),
            (Response("[]", status=200), "API key"),
            (Response('[["NAME"]]', status=200), "API key"),
            (Response(json.dumps([HEADER, ["short"]]), status=200), "API key"),
            (Response(json.dumps([HEADER, ["x", "many", "1", "1", "75024"]]), status=200), "API key"),
        ],
    )
    def test_when_the_bureau_fails_the_table_answers_and_nothing_is_remembered(self, census, answer, told):
        census.answer = answer

        found = enrich(["75024"], census)

        assert found.facts["75024"]["source"] == "zip-table"
        assert found.is_offline is True
        assert told in found.problem
        assert found.requests == 1
        assert not Enrichment.objects.exists()

    def test_when_the_bureau_cannot_be_reached_the_table_answers(self):
        found = enrich(["75024"], asking=fetch)

        assert found.facts["75024"]["source"] == "zip-table"
        assert "could not be reached" in found.problem

    def test_what_the_broker_raises_comes_through(self, census):
        class Stop(BaseException):
            pass

        def stop(url: str, *, secret: str) -> tuple[int, bytes]:
            raise Stop

        with pytest.raises(Stop):
            enrich(["75024"], census, asking=stop)

    def test_the_key_is_never_in_the_address_that_is_journalled(self, census):
        seen = []

        def watch(url: str, *, secret: str) -> tuple[int, bytes]:
            seen.append(url)
            return fetch(url, secret=secret)

        enrich(["75024"], census, asking=watch)

        assert KEY not in seen[0]

    def test_costs_two_queries_whatever_the_number(self, census):
        with CaptureQueriesContext(connection) as queries:
            enrich([f"{number:05d}" for number in range(75_000, 75_200)], census)

        assert [query["sql"].split()[0] for query in queries if "governor_enrichment" in query["sql"]] == [
            "SELECT",
            "INSERT",
        ]


@pytest.mark.django_db
class TestWithoutKey:
    def test_the_shipped_table_answers_and_nobody_is_asked(self):
        with CaptureQueriesContext(connection) as queries:
            found = enrich(["75024", "99999"], asking=must_not_fetch, api_key="")

        assert not [query for query in queries if "governor_enrichment" in query["sql"]]
        assert found.is_offline is True
        assert found.facts == {
            "75024": {
                "zip": "75024",
                "latitude": 33.0779,
                "longitude": -96.811,
                "population": 36039,
                "wages_percentile": 95,
                "affluence": "high",
                "source": "zip-table",
            },
            "99999": None,
        }

    def test_no_keys_are_no_facts(self):
        assert enrich([], asking=must_not_fetch, api_key="") == enrichment.Enriched(facts={})

    def test_an_unknown_source_is_refused(self):
        with pytest.raises(enrichment.UnknownSource, match="'weather'"), connection.cursor() as cursor:
            enrichment.enrich(
                "weather", [], fetch=must_not_fetch, at=AT, cursor=cursor, base_url="", api_key=""
            )


@pytest.mark.parametrize(
    ("postal_code", "country", "expected"),
    [
        ("75024", None, "75024"),
        (" 75024-1234 ", "US", "75024"),
        ("750241234", "us", "75024"),
        (2134, None, "02134"),
        ("601", "PR", "00601"),
        ("10115", "DE", None),
        ("K1A 0B1", None, None),
        ("", None, None),
        (None, None, None),
        ("75024; DROP", None, None),
        ("٧٥٠٢٤", None, None),
    ],
)
def test_zip_of(postal_code: Any, country: Any, expected: str | None):
    assert enrichment.zip_of(postal_code, country) == expected


@pytest.mark.parametrize(
    ("income", "expected"),
    [(75_001, "high"), (75_000, "medium"), (50_001, "medium"), (50_000, "low"), (None, None)],
)
def test_affluence_of_income(income: float | None, expected: str | None):
    assert enrichment.affluence_of_income(income) == expected


@pytest.mark.parametrize(
    ("percentile", "expected"),
    [(99, "high"), (75, "high"), (74, "medium"), (40, "medium"), (39, "low"), (None, None)],
)
def test_affluence_of_percentile(percentile: int | None, expected: str | None):
    assert enrichment.affluence_of_percentile(percentile) == expected


class TestTable:
    def test_first_last_and_unknown_zip_codes(self):
        assert zips.find("00601") is not None
        assert zips.find("99929") is not None
        assert [zips.find(code) for code in ("00000", "00600", "99999")] == [None, None, None]

    def test_what_is_not_known_is_none(self):
        adjuntas = zips.find("00601")

        assert adjuntas is not None
        assert (adjuntas.population, adjuntas.wages_percentile) == (18570, None)

    def test_ships_small(self):
        assert zips.PATH.stat().st_size < 700_000

    def test_is_built_from_the_two_files(self, tmp_path: Path, monkeypatch):
        coordinates, wages = tmp_path / "places.csv", tmp_path / "wages.csv"
        coordinates.write_text("GEOID,LAT,LONG,COUNTRY\n75024,33.0779,-96.811,US\n00601,18.18,-66.75,US\n")
        wages.write_text(
            "Zipcode,Population,Wealthy,Latitude,Longitude\n"
            "75024,36039,36388.6,33.1,-96.8\n00611,,,18.3,-66.8\n10001,9,100.5,,\n"
        )

        table = build.build(coordinates, wages)

        assert len(table) == zips.HEADER + 3 * zips.ROW
        path = tmp_path / "zips.bin"
        path.write_bytes(table)
        monkeypatch.setattr(zips, "PATH", path)
        zips._table.cache_clear()
        try:
            assert zips.find("75024") == zips.Zip("75024", 33.0779, -96.811, 36039, 99)
            assert zips.find("00611") == zips.Zip("00611", 18.3, -66.8, None, None)
            assert zips.find("10001") is None  # no coordinates
        finally:
            zips._table.cache_clear()

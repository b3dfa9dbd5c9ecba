"""The REST API of tenants and connections, and who may call it."""

from __future__ import annotations

import uuid
from base64 import b64encode
from datetime import timedelta

import pytest
from django.utils.timezone import now

from tenants.connections import api_token, signing_secrets
from tenants.models import ApiKey, AuditEvent, Connection, Tenant
from tenants.tokens import issue, revoke

TENANTS = "/api/v1/tenants/"
CONNECTIONS = "/api/v1/connections/"

pytestmark = pytest.mark.django_db


def slugs(response) -> set[str]:
    return {row["slug"] for row in response.json()["results"]}


class TestTokens:
    def test_only_the_hash_is_stored(self, acme):
        key, token = issue(tenant=acme, user=None, name="x")

        assert token.startswith(key.prefix)
        assert token not in str(ApiKey.objects.filter(pk=key.pk).values())

    @pytest.mark.parametrize("token", ["", "cos_wrong", "x" * 5000, "\xff"])
    def test_an_unknown_token_is_401(self, api, acme, token):
        response = api(token).get(TENANTS)

        assert response.status_code == 401
        assert set(response.json()) == {"code", "detail"}

    def test_a_revoked_token_is_401(self, api, acme):
        key, token = issue(tenant=acme, user=None, name="x")
        revoke(key, at=now())

        assert api(token).get(TENANTS).status_code == 401

    def test_an_operators_token_ends_with_the_operator(self, api, operator, operator_token):
        assert api(operator_token).get(TENANTS).status_code == 200

        operator.is_staff = False
        operator.save()

        assert api(operator_token).get(TENANTS).status_code == 401

    def test_a_token_of_nobody_is_no_operators(self, api):
        _, token = issue(tenant=None, user=None, name="x")

        assert api(token).get(TENANTS).status_code == 401

    def test_use_is_noted_once_an_hour(self, api, acme, django_assert_num_queries):
        key, token = issue(tenant=acme, user=None, name="x")
        api(token).get(TENANTS)
        first = ApiKey.objects.get(pk=key.pk).last_used_at

        with django_assert_num_queries(2):
            api(token).get(TENANTS)

        assert now() - first < timedelta(minutes=1)
        assert ApiKey.objects.get(pk=key.pk).last_used_at == first


class TestTenantsAPI:
    def test_a_tenant_sees_itself_only(self, api, acme_token, globex):
        assert slugs(api(acme_token).get(TENANTS)) == {"acme"}
        assert api(acme_token).get(f"{TENANTS}acme/").status_code == 200
        assert api(acme_token).get(f"{TENANTS}globex/").status_code == 404

    def test_an_operator_sees_all_and_both_spellings_work(self, api, operator_token, acme, globex):
        assert slugs(api(operator_token).get(TENANTS)) == {"acme", "globex"}
        assert slugs(api(operator_token).get(TENANTS.rstrip("/"))) == {"acme", "globex"}

    def test_an_operator_creates_one_whole(self, api, operator_token):
        wanted = {
            "slug": "initech",
            "owner": "Bill@initech.test",
            "timezone": "America/Denver",
            "connections": [{"crm": "standard"}, {"crm": "hubspot", "account_id": "7", "secrets": ["s"]}],
        }

        response = api(operator_token).post(TENANTS, wanted, format="json")

        assert response.status_code == 201
        made = response.json()
        assert made["connections"][0]["url"].endswith("/")
        assert made["connections"][0]["secrets"][0].startswith("whsec_")
        assert slugs(api(made["api_token"]).get(TENANTS)) == {"initech"}
        tenant = Tenant.objects.get(slug="initech")
        assert tenant.memberships.get().user.check_password(made["owner_password"])
        assert AuditEvent.objects.get(tenant=tenant).verb == "created"

    @pytest.mark.parametrize(
        "wanted",
        [
            {},
            [],
            {"slug": "acme"},
            {"slug": "NO"},
            {"slug": "x1", "tier": "gold"},
            {"slug": "x1", "more": 1},
            {"slug": "x1", "name": "x" * 300},
            {"slug": "x1", "host": "x" * 300},
            {"slug": "x1", "owner": "nobody"},
            {"slug": "x1", "owner": "a@" + "b" * 300},
            {"slug": "x1", "connections": [{"crm": "hubspot", "account_id": "1" * 300}]},
            {"slug": "x1", "connections": [{"crm": "hubspot", "secrets": [""]}]},
        ],
    )
    def test_a_bad_description_is_refused_and_makes_nothing(self, api, operator_token, acme, wanted):
        count = Tenant.objects.count()

        response = api(operator_token).post(TENANTS, wanted, format="json")

        assert response.status_code in {400, 409}
        assert response.json()["code"].startswith("tenants.")
        assert Tenant.objects.count() == count

    def test_a_tenant_creates_and_changes_none(self, api, acme_token):
        assert api(acme_token).post(TENANTS, {"slug": "x1"}, format="json").status_code == 403
        assert api(acme_token).patch(f"{TENANTS}acme/", {"tier": "paid"}, format="json").status_code == 403

    def test_an_operator_changes_the_tier(self, api, operator_token, acme):
        response = api(operator_token).patch(f"{TENANTS}acme/", {"tier": "paid"}, format="json")

        acme.refresh_from_db()
        assert (response.json()["tier"], acme.tier_id) == ("paid", "paid")
        assert AuditEvent.objects.get().data == {"fields": ["tier"], "tenant": "acme"}

    @pytest.mark.parametrize(
        "change", [{"tier": "gold"}, {"status": "x"}, {"timezone": "Mars/X"}, {"settings": [1]}]
    )
    def test_a_bad_change_is_400(self, api, operator_token, acme, change):
        response = api(operator_token).patch(f"{TENANTS}acme/", change, format="json")

        assert response.status_code == 400
        assert list(response.json()["fields"]) == list(change)


class TestConnectionsAPI:
    def test_a_tenant_sees_its_own_without_secrets(self, api, acme_token, acme_hubspot, globex_hubspot):
        rows = api(acme_token).get(CONNECTIONS).json()["results"]

        assert [row["id"] for row in rows] == [str(acme_hubspot.code)]
        assert rows[0]["url"] == f"http://testserver/hooks/{acme_hubspot.key}/"
        assert "secret" not in str(rows)

    def test_an_operator_narrows_by_tenant(self, api, operator_token, acme_hubspot, globex_hubspot):
        everything = api(operator_token).get(CONNECTIONS).json()["results"]
        narrowed = api(operator_token).get(CONNECTIONS, {"tenant": "globex"}).json()["results"]

        assert len(everything) == 2
        assert [row["tenant"] for row in narrowed] == ["globex"]
        assert api(operator_token).get(CONNECTIONS, {"tenant": "nobody"}).status_code == 404

    def test_a_tenant_cannot_name_another(self, api, acme_token, globex_hubspot):
        assert api(acme_token).get(CONNECTIONS, {"tenant": "globex"}).status_code == 404
        for code in (globex_hubspot.code, uuid.uuid4(), "x"):
            assert api(acme_token).get(f"{CONNECTIONS}{code}/").status_code == 404
            assert api(acme_token).post(f"{CONNECTIONS}{code}/rotate-secret/").status_code == 404

    def test_rotating_gives_the_new_secret_once(self, api, acme_token, acme_standard):
        response = api(acme_token).post(f"{CONNECTIONS}{acme_standard.code}/rotate-secret/")

        found = Connection.objects.get(pk=acme_standard.pk)
        assert signing_secrets(found, at=now())[0] == response.json()["secret"]
        assert response.json()["secret"] not in str(AuditEvent.objects.values())


class TestLinking:
    """A token links CRM accounts to its tenant; what it gives in secret never comes out."""

    def test_a_tenants_token_links_to_its_own_tenant(self, api, acme, globex, acme_token, globex_token):
        wanted = {"crm": "hubspot", "account_id": "7", "secrets": ["s3cret"], "api_token": "pat-9"}

        answer = api(acme_token).post(CONNECTIONS, wanted, format="json")

        assert answer.status_code == 201, answer.json()
        made = Connection.objects.get(code=answer.json()["id"])
        assert (made.tenant, signing_secrets(made, at=now()), api_token(made)) == (acme, ["s3cret"], "pat-9")
        assert "pat-9" not in str(answer.json())
        assert api(globex_token).get(CONNECTIONS).json()["results"] == []
        event = AuditEvent.objects.get(tenant=acme)
        assert (event.verb, event.data["crm"]) == ("linked", "hubspot")
        assert "s3cret" not in str(event.data)

    def test_an_operator_names_the_tenant(self, api, globex, operator_token):
        client = api(operator_token)

        unnamed = client.post(CONNECTIONS, {"crm": "standard"}, format="json")
        named = client.post(f"{CONNECTIONS}?tenant=globex", {"crm": "standard"}, format="json")

        assert (unnamed.status_code, unnamed.json()["filter"]) == (400, "tenant")
        assert named.json()["tenant"] == "globex"
        assert named.json()["secrets"][0].startswith("whsec_")

    @pytest.mark.parametrize(
        "wanted",
        [
            {},
            [],
            {"crm": "sugarcrm"},
            {"crm": 1},
            {"crm": "standard", "more": 1},
            {"crm": "standard", "secrets": [""]},
        ],
    )
    def test_a_bad_description_makes_nothing(self, api, acme, acme_token, wanted):
        refused = api(acme_token).post(CONNECTIONS, wanted, format="json")

        assert (refused.status_code, refused.json()["code"]) == (400, "api.invalid")
        assert not Connection.objects.exists()

    def test_is_renamed_switched_off_and_given_a_token(self, api, acme_token, acme_hubspot):
        address = f"{CONNECTIONS}{acme_hubspot.code}/"
        change = {"name": "Sales", "is_active": False, "api_token": "pat-1"}

        answer = api(acme_token).patch(address, change, format="json")

        assert (answer.json()["name"], answer.json()["status"]) == ("Sales", "inactive")
        found = Connection.objects.get(pk=acme_hubspot.pk)
        assert (found.is_active, api_token(found)) == (False, "pat-1")
        assert AuditEvent.objects.get().data["fields"] == ["api_token", "is_active", "name"]
        api(acme_token).patch(address, {"api_token": None}, format="json")
        assert api_token(Connection.objects.get(pk=acme_hubspot.pk)) is None

    def test_a_strangers_is_404(self, api, acme_hubspot, globex_token):
        address = f"{CONNECTIONS}{acme_hubspot.code}/"

        assert api(globex_token).patch(address, {"name": "Mine"}, format="json").status_code == 404
        assert Connection.objects.get(pk=acme_hubspot.pk).name != "Mine"


class TestRefusals:
    """Each refusal has a code and a sentence, whoever words it."""

    @pytest.mark.parametrize(
        ("method", "more", "refusal"),
        [
            ("GET", {"HTTP_ACCEPT": "text/html"}, (406, "api.not-acceptable")),
            ("PUT", {}, (405, "api.method-not-allowed")),
            ("DELETE", {}, (405, "api.method-not-allowed")),
            ("POST", {"content_type": "text/plain", "data": b"x"}, (415, "api.unsupported-media-type")),
            ("POST", {"data": b'"' + b"x" * 1024 * 1024 + b'"'}, (413, "api.too-large")),
        ],
    )
    def test_is_coded(self, api, operator_token, method, more, refusal):
        given = {"data": b"", "content_type": "application/json", **more}

        answer = api(operator_token).generic(method, CONNECTIONS, **given)

        assert (answer.status_code, answer.json()["code"]) == refusal
        assert answer.json()["detail"].endswith((".", "allowed."))

    @pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "", "1.5", "9" * 500, "\u0661"])
    @pytest.mark.parametrize("path", [CONNECTIONS, "/api/v1/triggers/"])
    def test_a_length_that_cannot_be(self, api, acme_token, path, limit):
        refused = api(acme_token).get(path, {"limit": limit})

        assert (refused.status_code, refused.json()["filter"]) == (400, "limit")

    def test_an_address_that_is_not_there(self, api, acme_token):
        assert api(acme_token).get("/api/v1/nothing/").json()["code"] == "api.not-found"

    def test_head_and_options_answer(self, api, acme, acme_token):
        for path in (CONNECTIONS, TENANTS, "/api/v1/limits/"):
            head = api(acme_token).head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert api(acme_token).options(path).status_code == 200
            assert api().options(path).status_code == 401


class TestOddBytes:
    """Whatever stands in an address, a cursor or a body, the answer is no 5xx."""

    @pytest.mark.parametrize(
        "position",
        ["p=abc", "p=1.5", "p=", "p=%00", "p=-1", "p=" + "9" * 40, "p=" + "9" * 5000, "o=x", "\xff"],
    )
    @pytest.mark.parametrize(
        "path",
        [
            TENANTS,
            "/api/v1/connections/",
            "/api/v1/events/",
            "/api/v1/executions/",
            "/api/v1/triggers/",
            "/api/v1/releases/",
        ],
    )
    def test_in_a_cursor(self, api, acme, acme_token, path, position):
        cursor = b64encode(position.encode()).decode()

        refused = api(acme_token).get(path, {"cursor": cursor})

        assert refused.status_code == 400
        assert refused.json()["code"] == "api.bad-cursor"

    @pytest.mark.parametrize(
        "path",
        [
            f"{TENANTS}%00/",
            "/api/v1/events/?tenant=%00",
            "/api/v1/executions/?tenant=%00",
            "/api/v1/connections/?tenant=a%00",
            "/api/v1/triggers/?tenant=%00",
            "/api/v1/events/%00/",
        ],
    )
    def test_in_an_address(self, api, acme, operator_token, path):
        refused = api(operator_token).get(path)

        assert refused.status_code == 404
        assert refused.json()["code"] == "api.not-found"

    def test_in_a_page_of_people(self, client, acme, operator):
        client.force_login(operator)

        assert client.get("/admin/triggers/execution/?status__exact=%00").status_code == 400
        assert client.get("/t/acme/%00").status_code == 404

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"settings":' * 3_000 + b"1" + b"}" * 3_000,
            b'{"settings":{"a":"\\u0000"}}',
            b'{"settings":{"\\u0000":1}}',
            b'{"settings":{"a":["\\ud800"]}}',
            b'{"name":"\\u0000"}',
            b'{"settings":{"a":NaN}}',
            b"\xff",
        ],
    )
    def test_in_a_body(self, api, acme, operator_token, body):
        client = api(operator_token)

        for method, path in (("POST", TENANTS), ("PATCH", f"{TENANTS}acme/")):
            refused = client.generic(method, path, body, content_type="application/json")
            assert refused.status_code == 400
            assert refused.json()["code"] == "api.parse-error"

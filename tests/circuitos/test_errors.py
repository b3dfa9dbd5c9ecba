"""Refusals: JSON with a code for machines, a page for people, nothing internal for either."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from rest_framework import exceptions

from circuitos import errors
from tenants.errors import CodedError

pytestmark = pytest.mark.django_db


class TestPages:
    def test_an_unknown_api_address_is_json(self, client):
        answer = client.get("/api/v1/nothing/")

        assert answer.status_code == 404
        assert answer.json() == {"code": "api.not-found", "detail": "Nothing is here."}

    def test_an_unknown_page_is_a_page(self, client):
        answer = client.get("/nothing/")

        assert answer.status_code == 404
        assert b"Nothing is here." in answer.content
        assert answer["Content-Security-Policy"].startswith("default-src 'none'")

    def test_debug_tells_no_more(self, client, settings):
        settings.DEBUG = True

        assert client.get("/api/v1/nothing").json()["code"] == "api.not-found"
        assert b"urlpatterns" not in client.get("/nothing").content

    def test_a_fault_of_ours_tells_nothing_internal(self, rf):
        answer = errors.internal(rf.get("/api/v1/events/"))

        assert answer.status_code == 500
        assert b"api.internal" in answer.content

    @pytest.mark.parametrize("view", [errors.bad_request, errors.forbidden, errors.csrf_failure])
    def test_others_have_their_sentence(self, rf, view):
        assert b"<h1>40" in view(rf.get("/admin/")).content


class TestHandler:
    def test_coded_errors_keep_code_status_headers_and_extras(self):
        class Full(CodedError):
            code = "triggers.full"
            status = 429

        answer = errors.handler(Full("The lot is full.", headers={"Retry-After": "9"}, held=3), {})

        assert answer.status_code == 429
        assert answer.data == {"code": "triggers.full", "detail": "The lot is full.", "held": 3}
        assert answer["Retry-After"] == "9"

    def test_a_lost_database_is_503_and_worth_another_try(self):
        answer = errors.handler(OperationalError("host=10.0.0.1 refused"), {})

        assert answer.status_code == 503
        assert "10.0.0.1" not in str(answer.data)
        assert answer["Retry-After"]

    def test_drf_errors_get_our_shape(self):
        answer = errors.handler(exceptions.MethodNotAllowed("PUT"), {})
        invalid = errors.handler(exceptions.ValidationError({"mode": ["no"]}), {})

        assert answer.data["code"] == "api.method-not-allowed"
        assert invalid.data["code"] == "api.invalid"
        assert list(invalid.data["fields"]) == ["mode"]

    def test_what_we_did_not_foresee_stays_ours(self):
        assert errors.handler(RuntimeError("x"), {}) is None


class TestPolicies:
    def test_eval_is_for_the_admin_alone(self, client):
        assert "'unsafe-eval'" in client.get("/admin/login/")["Content-Security-Policy"]
        assert "unsafe" not in client.get("/healthz")["Content-Security-Policy"]
        assert "'unsafe-eval'" not in client.get("/api/docs/")["Content-Security-Policy"]

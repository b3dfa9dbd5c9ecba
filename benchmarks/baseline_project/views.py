"""The views: one that stores and queues, one that only verifies and answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.baseline_project.models import WebhookEvent
from benchmarks.baseline_project.tasks import process_webhook

if TYPE_CHECKING:
    from rest_framework.request import Request

PUBLIC_KEY = load_der_public_key(base64.b64decode(settings.WEBHOOK_PUBLIC_KEY))


def is_signed(request: Request) -> bool:
    """Ed25519 over the raw body, as HighLevel signs."""
    try:
        PUBLIC_KEY.verify(base64.b64decode(request.headers["X-GHL-Signature"]), request.body)
    except (InvalidSignature, KeyError, ValueError):
        return False
    return True


class BareView(APIView):
    """Verifies and answers. Nothing is stored."""

    def post(self, request: Request) -> Response:
        if not is_signed(request):
            return Response({"detail": "bad signature"}, status=401)
        return Response({"status": "accepted"}, status=202)


class StoringView(APIView):
    """Verifies, inserts one row, queues one task, answers."""

    def post(self, request: Request) -> Response:
        if not is_signed(request):
            return Response({"detail": "bad signature"}, status=401)
        payload = request.data
        event = WebhookEvent.objects.create(
            webhook_id=payload["webhookId"],
            type=payload["type"],
            location_id=payload["locationId"],
            payload=payload,
        )
        process_webhook.delay(event.pk)
        return Response({"status": "accepted", "id": event.pk}, status=202)

"""One chat completion over the openai SDK: an answer's bytes within time and size, or a coded error."""

from __future__ import annotations

import logging
import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx2

from governor import egress
from governor.ai_answer import NoAnswer

if TYPE_CHECKING:
    from openai import OpenAI

MOST_BYTES = 1024 * 1024
MOST_WAIT = 900  # seconds of a Retry-After that are told
_CHUNK = 65_536

# It would write whole questions into our logs.
logging.getLogger("openai").setLevel(logging.WARNING)


class _TooLarge(httpx2.TransportError):
    """The answer has more bytes than an answer may have."""


class _Bounded(httpx2.BaseTransport):
    """Sends through the checked client, and reads no more than an answer may have, whatever its status."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = egress.client_for_operators().send(request, stream=True)
        try:
            body = bytearray()
            for chunk in response.iter_raw(_CHUNK):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise _TooLarge("the answer is too large")
        finally:
            response.close()
        headers = {
            name: response.headers[name]
            for name in ("content-type", "retry-after")
            if name in response.headers
        }
        return httpx2.Response(response.status_code, headers=headers, content=bytes(body), request=request)


def complete(
    *, key: str, base_url: str, model: str, seconds: float, prompt_tokens: int, **body: Any
) -> bytes:
    """The body of the answer. ``prompt_tokens`` is what a question costs that was sent, and not answered.

    Nothing that the other side wrote stands in an error: it may quote our key.
    """
    began = time.monotonic()
    import openai

    create = _client(os.getpid(), key, base_url).chat.completions.with_raw_response.create
    seconds = max(0.05, seconds - (time.monotonic() - began))  # the first time it takes a while
    try:
        with egress.within(seconds):
            answer = create(
                model=model,
                store=False,
                timeout=httpx2.Timeout(seconds, connect=min(seconds, egress.CONNECT_SECONDS)),
                **body,
            )
    except openai.APITimeoutError as error:
        if isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout):
            raise _unreachable(model) from None
        detail = f"{model} did not answer in {seconds:.1f} s."
        raise NoAnswer("governor.ai-timeout", detail, is_worth_retry=True, tokens_in=prompt_tokens) from None
    except openai.APIStatusError as error:
        raise _refused(model, error.status_code, error.response.headers.get("retry-after")) from None
    except openai.APIConnectionError as error:
        raise _broken(model, error.__cause__, prompt_tokens) from None
    except (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, egress.EgressRefused) as error:
        detail = f"{model} could not be asked ({type(error).__name__})."
        raise NoAnswer("governor.ai-failed", detail) from None
    if answer.status_code != 200:
        raise _refused(model, answer.status_code, None)
    return answer.content


def _refused(model: str, status: int, retry_after: str | None) -> NoAnswer:
    if status == 429:
        seconds = (
            int(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
        )
        told = {} if seconds is None else {"retry_after": min(seconds, MOST_WAIT)}
        detail = f"{model} takes no more questions just now (429)."
        return NoAnswer("governor.ai-rate-limited", detail, status=status, data=told)
    return NoAnswer(
        "governor.ai-failed", f"{model} answered {status}.", status=status, is_worth_retry=status >= 500
    )


def _broken(model: str, cause: BaseException | None, prompt_tokens: int) -> NoAnswer:
    if isinstance(cause, _TooLarge):
        detail = f"{model} answered more than {MOST_BYTES:,} bytes."
        return NoAnswer("governor.ai-malformed", detail, tokens_in=prompt_tokens)
    if isinstance(cause, httpx2.ConnectError | egress.EgressRefused):
        return _unreachable(model)
    return NoAnswer(
        "governor.ai-failed",
        f"The connection to {model} broke before its answer was whole.",
        is_worth_retry=True,
        tokens_in=prompt_tokens,
    )


def _unreachable(model: str) -> NoAnswer:
    return NoAnswer("governor.ai-failed", f"{model} cannot be reached.", is_worth_retry=True)


@cache
def _client(_process: int, key: str, base_url: str) -> OpenAI:
    from openai import OpenAI

    return OpenAI(
        api_key=key,
        base_url=base_url or None,
        max_retries=0,
        default_headers={"Accept-Encoding": "identity"},
        http_client=httpx2.Client(transport=_Bounded(), follow_redirects=False, trust_env=False),
    )

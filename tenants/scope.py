"""The scope: which tenant's rows the running code may see. No tenant in scope, no rows."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.db import models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
R = TypeVar("R")
EVERY = object()
_scope: ContextVar[object] = ContextVar("tenant_scope", default=None)


class NoTenant(Exception):
    """Rows of a tenant were asked for with no tenant in scope."""


@contextmanager
def tenant_scope(tenant_id: int) -> Iterator[None]:
    """See one tenant's rows; on leaving, also by an error, the previous scope stands again.

    Do not open it in a generator that hands out rows: between two rows its caller would stand in it.
    """
    token = _scope.set(int(tenant_id))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def every_tenant() -> Iterator[None]:
    """See all rows: for operators and for the engine, which work across tenants."""
    token = _scope.set(EVERY)
    try:
        yield
    finally:
        _scope.reset(token)


def current_tenant_id() -> int | None:
    """The tenant in scope; None when every tenant is. Raises ``NoTenant`` without a scope."""
    scope = _scope.get()
    if scope is None:
        raise NoTenant("No tenant is in scope; use tenant_scope() or every_tenant().")
    return scope if isinstance(scope, int) else None


def bound(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` as it would run in the scope that stands now: for threads and ``transaction.on_commit``.

    A thread starts without a scope, and an outer transaction may commit in another tenant's.
    """
    scope = _scope.get()

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        token = _scope.set(scope)
        try:
            return function(*args, **kwargs)
        finally:
            _scope.reset(token)

    return run


class TenantManager(models.Manager[Any]):
    """A manager that filters by the tenant in scope, and raises ``NoTenant`` when there is none."""

    def get_queryset(self) -> models.QuerySet[Any]:
        tenant_id = current_tenant_id()
        queryset = super().get_queryset()
        return queryset if tenant_id is None else queryset.filter(tenant_id=tenant_id)

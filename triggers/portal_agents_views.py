"""The portal's agents page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tenants.errors import CodedError
from tenants.views import for_members, for_owners
from triggers import agents, portal_agents

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


@never_cache
@require_GET
@for_members
def all_agents(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """A card for each agent."""
    return render(request, "portal/agents.html", portal_agents.agents_page(tenant, at=now()))


@never_cache
@require_POST
@for_owners
def switch(request: HttpRequest, tenant: Tenant, name: str) -> HttpResponse:
    """Switch an agent on or off."""
    is_on = request.POST.get("is_on") == "yes"
    try:
        agent = agents.agent_of(name)
        agents.switch(agent=agent, tenant=tenant, is_on=is_on, actor=request.user.get_username(), at=now())
    except agents.NoAgent:
        raise Http404 from None
    except CodedError as error:
        messages.error(request, str(error))
    else:
        said = (
            "is on: it runs on what comes in from now on" if is_on else "is off: what comes in passes it by"
        )
        messages.success(request, f"{agent.title} {said}. That takes a few seconds.")
    return redirect("portal-agents")


@never_cache
@require_POST
@for_owners
def scoring(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Change how leads are scored."""
    form = portal_agents.ScoringForm(request.POST)
    if form.is_valid():
        try:
            agents.set_scoring(
                tenant=tenant,
                facts=form.facts(),
                lpr=form.lpr(),
                actor=request.user.get_username(),
                at=now(),
            )
        except CodedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Saved. The next leads are scored this way; earlier scores stay.")
            return redirect("portal-agents")
    page = portal_agents.agents_page(tenant, form=form, at=now())
    return render(request, "portal/agents.html", page)

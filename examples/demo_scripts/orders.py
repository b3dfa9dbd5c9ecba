"""Orders of the demo shop: a schema keeps one bad order of a batch from sinking the others."""

from __future__ import annotations

from pydantic import BaseModel, Field

from circuitos import CircuitDB, CircuitLog, CircuitTrigger, trigger

BIG = 100.0


class Order(BaseModel):
    """What an order must look like to be handed over."""

    id: str
    email: str
    total: float = Field(ge=0)


class OrderTrigger(CircuitTrigger):
    """Marks big orders."""

    @trigger("Order", ["afterInsert"], batch_size=200, schema=Order)
    def mark_big_orders(self, context):
        big = [{"id": order.id, "is_big": True} for order in context.new_records if order.total >= BIG]
        if big:
            CircuitDB.update("Order", big)
        CircuitLog.info("orders seen", orders=context.size, big=len(big))

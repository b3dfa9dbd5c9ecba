"""Refunds of the demo shop: a fault in the script, kept with its traceback and ready to replay."""

from __future__ import annotations

from circuitos import CircuitDB, CircuitTrigger, trigger


class RefundTrigger(CircuitTrigger):
    """Works out which share of an order was given back."""

    @trigger("Refund", ["afterInsert"])
    def work_out_share(self, context):
        # An order of 0.00 was not thought of. Write `if refund.order_total` and press Replay.
        shares = [{"id": refund.id, "share": refund.amount / refund.order_total} for refund in context.new_records]
        CircuitDB.update("Refund", shares)

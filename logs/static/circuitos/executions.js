/* The executions list: the filter's times are the reader's, so the address says where the reader is. */
(() => {
  "use strict";

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("filter-form");
    const from = form && form.querySelector('[name="from"]');
    if (!from) return;
    const asked = new URLSearchParams(window.location.search);
    const named = asked.get("from") || asked.get("to");
    // A view that somebody sent keeps the zone that its times were written in.
    const zone = named ? asked.get("zone") || "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    // unfold's form may bring the address's own along.
    for (const old of form.querySelectorAll('input[name="zone"]')) old.remove();
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "zone";
    field.value = zone;
    form.append(field);
    for (const name of ["from", "to"]) {
      const input = form.querySelector(`[name="${name}"]`);
      const label = input.id && form.querySelector(`label[for="${input.id}"]`);
      if (label) label.textContent = label.textContent.replace(/\(.*\)/, `(${zone})`);
    }
  });
})();

/* The console's small comforts: times in the reader's zone, keys, and the list of keys. */
(() => {
  "use strict";

  // Times. The server writes UTC; here they become the reader's own: how long ago, the exact time on hover.
  const KEPT = "circuitos.times";
  const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];
  const exact = new Intl.DateTimeFormat("en-GB", {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
    timeZoneName: "short",
  });
  const brief = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const utc = (at) => `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;

  const ago = (at) => {
    const seconds = Math.round((Date.now() - at) / 1000);
    const far = Math.abs(seconds);
    if (far < 5) return "just now";
    const [unit, length] = UNITS.find(([, size]) => far >= size) || ["s", 1];
    const text = `${Math.floor(far / length)} ${unit}`;
    return seconds > 0 ? `${text} ago` : `in ${text}`;
  };

  const isExact = () => { try { return localStorage.getItem(KEPT) === "exact"; } catch { return false; } };

  const tell = (root = document) => {
    for (const time of root.querySelectorAll("time.co-time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const isNear = Math.abs(Date.now() - at) < 7 * 86400e3;
      time.title = `${exact.format(at)} · ${utc(at)}`;
      let text = isNear && !isExact() ? ago(at) : brief.format(at);
      if (time.dataset.form === "full") text = `${exact.format(at)} (${ago(at)})`;
      if (time.textContent !== text) time.textContent = text;
    }
  };

  const turn = () => {
    try { localStorage.setItem(KEPT, isExact() ? "ago" : "exact"); } catch { return; }
    tell();
  };

  // Keys.
  const PLACES = [
    ["o", "Overview", "index"], ["e", "Executions", "/triggers/execution/"], ["l", "Live tail", "/tail/"],
    ["v", "Events", "/triggers/event/"], ["t", "Tenants", "/tenants/tenant/"], ["a", "Audit", "/tenants/auditevent/"],
  ];
  const root = () => document.querySelector("#nav-sidebar a[href], a[href*='/admin/']")?.pathname.split("/admin/")[0] ?? "";
  const link = (place) => `${root()}/admin${place === "index" ? "/" : place}`;
  const isTyping = (target) => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

  const search = () => [...document.querySelectorAll("#searchbar, #find, main input[type=search], input[type=search], input[name=q]")]
    .find((field) => field.checkVisibility());

  const help = () => {
    const open = document.getElementById("co-keys");
    if (open) return open.open ? open.close() : open.showModal();
    const dialog = document.createElement("dialog");
    dialog.id = "co-keys";
    dialog.className = "co-dialog";
    dialog.setAttribute("aria-labelledby", "co-keys-title");
    const rows = [
      ["/", "Search this page"], ["Ctrl K", "Find a page, tenant, trigger or execution anywhere"],
      ["z", "Times: how long ago, or by the clock"], ["?", "These keys"], ["Esc", "Close"],
      ...PLACES.filter(([, , place]) => document.querySelector(`a[href="${link(place)}"]`))
        .map(([key, name]) => [`g ${key}`, `Go to ${name}`]),
    ];
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    dialog.innerHTML = '<form method="dialog"><h2 id="co-keys-title">Keys</h2><dl></dl><p></p><button class="co-button">Close</button></form>';
    for (const [keys, what] of rows) {
      const key = document.createElement("dt");
      for (const one of keys.split(" ")) key.append(Object.assign(document.createElement("kbd"), { textContent: one }), " ");
      dialog.querySelector("dl").append(key, Object.assign(document.createElement("dd"), { textContent: what }));
    }
    dialog.querySelector("p").textContent = `Times are shown in your zone, ${zone}; they are stored in UTC.`;
    document.body.append(dialog);
    dialog.showModal();
  };

  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]:not(#co-keys)")) return;
    if (event.key === "?") { event.preventDefault(); return help(); }
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      const field = search();
      if (field) { event.preventDefault(); field.focus(); field.select(); }
    } else if (event.key === "z") turn();
    else if (event.key === "g") { going = Date.now(); return; }
    else if (Date.now() - going < 1500) {
      const place = PLACES.find(([key]) => key === event.key);
      const target = place && document.querySelector(`a[href="${link(place[2])}"]`);
      if (target) { event.preventDefault(); window.location.assign(target.href); }
    }
    going = 0;
  });

  // A search field that unfold gives no name to gets one from its hint.
  const name = () => {
    for (const field of document.querySelectorAll("#searchbar:not([aria-label])")) field.setAttribute("aria-label", field.placeholder || "Search");
  };

  document.addEventListener("DOMContentLoaded", () => { name(); tell(); setInterval(tell, 15_000); });
  document.addEventListener("htmx:afterSettle", () => tell());
  document.addEventListener("circuitos:times", () => tell());
})();

/* The live tail: asks every two seconds while somebody looks, keeps the newest 200 rows. */
(() => {
  "use strict";
  const EVERY = 2000;
  const MOST = 200;
  const state = document.getElementById("tail-state");
  const button = document.getElementById("tail-pause");
  const list = document.getElementById("tail-rows");
  if (!state || !button || !list) return;

  let isPaused = false;
  let isAway = document.hidden;
  let fault = "";
  let isAsking = false;

  const say = () => {
    const isLive = !isPaused && !isAway && !fault;
    state.dataset.state = isLive ? "live" : "paused";
    const text = fault || (isPaused ? "Paused" : isAway ? "Paused while this tab is not in front" : "Live");
    if (state.textContent !== text) state.textContent = text;
    button.textContent = isPaused ? "Go on" : "Pause";
    button.setAttribute("aria-pressed", String(isPaused));
  };
  const look = () => {
    if (isPaused || isAway || isAsking) return;
    isAsking = true;
    window.htmx.trigger("#tail-poll", "tail:look");
  };

  button.hidden = false;
  button.addEventListener("click", () => { isPaused = !isPaused; fault = ""; say(); look(); });
  const leave = () => { isAway = true; say(); };
  const arrive = () => { isAway = document.hidden; say(); look(); };
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : arrive()));
  window.addEventListener("blur", leave);
  window.addEventListener("focus", arrive);

  // Its element is gone by then: the answer brought the next one.
  document.body.addEventListener("htmx:afterRequest", (event) => {
    isAsking = false;
    fault = event.detail.successful ? "" : "No answer from the server; trying again";
    while (list.children.length > MOST) list.lastElementChild.remove();
    document.dispatchEvent(new Event("circuitos:times"));
    say();
  });
  document.body.addEventListener("htmx:oobAfterSwap", (event) => {
    if (event.detail.target?.id === "tail-rows") list.firstElementChild?.classList.add("tail-new");
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "p" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!event.target.closest("input, select, textarea, dialog")) button.click();
  });

  say();
  setInterval(look, EVERY);
})();

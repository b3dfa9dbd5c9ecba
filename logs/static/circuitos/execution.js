/* The page of one execution: buttons that copy, and spans that open the list they are folded into. */
(() => {
  "use strict";

  const textOf = (button) => {
    if (button.dataset.copy) return button.dataset.copy;
    const place = button.closest(".co-curl");
    return place && place.nextElementSibling ? place.nextElementSibling.textContent : "";
  };

  const copy = async (button) => {
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(textOf(button));
      button.textContent = "Copied";
    } catch {
      button.textContent = "Press Ctrl-C";
      const range = document.createRange();
      const near = button.dataset.copy ? button.previousElementSibling : button.closest(".co-curl").nextElementSibling;
      range.selectNodeContents(near);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
    }
    setTimeout(() => { button.textContent = said; }, 2000);
  };

  const unfold = () => {
    const wanted = window.location.hash ? document.getElementById(decodeURIComponent(window.location.hash.slice(1))) : null;
    const folded = wanted && wanted.closest("details.co-more");
    if (folded && !folded.open) {
      folded.open = true;
      wanted.scrollIntoView({ block: "center" });
    }
  };

  for (const button of document.querySelectorAll(".co-copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
  window.addEventListener("hashchange", unfold);
  unfold();
})();

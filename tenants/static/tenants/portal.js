// Buttons that copy the field before them; without a clipboard they stay hidden.
"use strict";
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(field.value);
    button.textContent = "✓ Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

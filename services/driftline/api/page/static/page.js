// Brings the marked parts of the page up to date every few seconds. The page works without it.
(function () {
  "use strict";
  const EVERY = 5000;
  const said = document.getElementById("updated");
  const button = document.getElementById("pause");
  if (!said || !button) return;
  let version = document.body.dataset.version;
  let paused = false;
  let busy = false;
  button.parentElement.hidden = false;

  function inUse(part) {
    const selected = document.getSelection();
    const marked = selected && !selected.isCollapsed && part.contains(selected.anchorNode);
    return marked || (part.contains(document.activeElement) && document.activeElement !== part);
  }

  function replace(fresh) {
    let left = 0;
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next) continue;
      for (const fold of part.querySelectorAll("details[id]")) {
        const same = next.querySelector("#" + CSS.escape(fold.id));
        if (same) same.open = fold.open;
      }
      if (next.isEqualNode(part)) continue;
      if (inUse(part)) { left += 1; continue; }
      part.replaceWith(document.importNode(next, true));
    }
    const menu = document.querySelector("nav");
    const newMenu = fresh.querySelector("nav");
    if (menu && newMenu && !menu.contains(document.activeElement)) menu.replaceWith(newMenu);
    return left;
  }

  async function refresh() {
    if (paused || busy || document.hidden) return;
    busy = true;
    try {
      const answer = await fetch(location.href, {
        cache: "no-store", headers: { "If-None-Match": '"' + version + '"' },
      });
      if (answer.redirected) { location.reload(); return; }
      if (answer.status === 304) return;
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (replace(fresh) === 0) version = fresh.body.dataset.version;
      said.textContent = "Updated " + new Date().toISOString().slice(11, 19);
    } catch (error) {
      said.textContent = "No answer; trying again";
    } finally {
      busy = false;
    }
  }

  button.addEventListener("click", function () {
    paused = !paused;
    button.textContent = paused ? "Resume updates" : "Pause updates";
    said.textContent = paused ? "Paused" : "";
    if (!paused) refresh();
  });
  setInterval(refresh, EVERY);
  document.addEventListener("visibilitychange", refresh);
})();

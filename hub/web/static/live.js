// Keeps a page live: parts arrive as {"id", "html"} and take the place of the element with that id. A block that leans on
// several figures is read again when one of them changes.
(() => {
  const address = document.body.dataset.live;
  if (!address || !window.EventSource) return;

  // The stream says something at least every 5 s: three beats missed and the page may not look current.
  const SILENCE_MS = 15000;
  // A connection that was closed is told sooner; a quick reconnection is not worth an alarm.
  const CLOSED_MS = 4000;
  const RETRY_MS = 3000;
  // A table or map costs the warehouse more than a tile, and people read it slower.
  const BLOCK_MS = 5000;

  const lost = document.getElementById("lost");
  const begun = Date.now();
  let heard = begun;
  let source;

  const show = (connected) => {
    document.body.classList.toggle("connected", connected);
    document.body.classList.toggle("disconnected", !connected);
    if (lost) lost.hidden = connected;
  };

  const alive = () => {
    heard = Date.now();
    show(true);
  };

  const focusables = (element) => [...element.querySelectorAll("a, button, summary")];
  const figure = (element) => element.querySelector(".figure, .figure-cell")?.textContent;

  const replace = (id, html) => {
    const old = document.getElementById(id);
    if (!old) return;
    const template = document.createElement("template");
    template.innerHTML = html.trim();
    const fresh = template.content.firstElementChild;
    if (figure(fresh) !== figure(old)) fresh.classList.add("changed");
    const focused = focusables(old).indexOf(document.activeElement);
    old.replaceWith(fresh);
    if (focused >= 0) focusables(fresh)[focused]?.focus({ preventScroll: true });
    return fresh;
  };

  // By the block's id: when it was last read, and whether it waits to be.
  const blocks = new Map();

  const readAgain = async (id) => {
    const state = blocks.get(id);
    state.waits = false;
    state.at = Date.now();
    const old = document.getElementById(id);
    if (!old) return;
    try {
      const answer = await fetch(old.dataset.source, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const open = [...old.querySelectorAll("details")].map((one) => one.open);
      const fresh = replace(id, await answer.text());
      if (!fresh) return;
      fresh.querySelectorAll("details").forEach((one, place) => { one.open = open[place] ?? one.open; });
      dispatchEvent(new CustomEvent("ioc:replaced", { detail: fresh }));
    } catch {
      old.classList.add("stale");
    }
  };

  const touched = (kpi) => {
    for (const block of document.querySelectorAll("[data-source]")) {
      if (!block.dataset.kpis.split(" ").includes(kpi)) continue;
      const state = blocks.get(block.id) ?? { at: begun, waits: false };
      blocks.set(block.id, state);
      if (state.waits) continue;
      state.waits = true;
      setTimeout(readAgain, Math.max(0, state.at + BLOCK_MS - Date.now()), block.id);
    }
  };

  // The browser reconnects by itself unless the answer was an error: then the hub is asked again here, and a
  // session that has ended leads to the sign-in page.
  const again = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.status === 401) location.reload();
      else connect();
    } catch {
      setTimeout(again, RETRY_MS);
    }
  };

  const connect = () => {
    source = new EventSource(address);
    source.addEventListener("open", alive);
    source.addEventListener("heartbeat", alive);
    source.addEventListener("part", (event) => {
      alive();
      const part = JSON.parse(event.data);
      replace(part.id, part.html);
      if (part.id.startsWith("kpi-")) touched(part.id.slice("kpi-".length));
    });
    source.addEventListener("touched", (event) => {
      alive();
      touched(JSON.parse(event.data).kpi);
    });
    source.addEventListener("error", () => {
      heard = Math.min(heard, Date.now() - SILENCE_MS + CLOSED_MS);
      if (source.readyState === EventSource.CLOSED) setTimeout(again, RETRY_MS);
    });
  };

  connect();
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  setInterval(() => Date.now() - heard > SILENCE_MS && show(false), 500);
})();

// Keeps a page live: parts arrive as {"id", "html"} and take the place of the element with that id.
(() => {
  const address = document.body.dataset.live;
  if (!address || !window.EventSource) return;

  // The stream says something at least every 5 s: three beats missed and the page may not look current.
  const SILENCE_MS = 15000;
  const lost = document.getElementById("lost");
  let heard = Date.now();

  const alive = () => {
    heard = Date.now();
    show(true);
  };

  const show = (connected) => {
    document.body.classList.toggle("connected", connected);
    document.body.classList.toggle("disconnected", !connected);
    if (lost) lost.hidden = connected;
  };

  const focusables = (element) => [...element.querySelectorAll("a, button, summary")];

  const replace = (id, html) => {
    const old = document.getElementById(id);
    if (!old) return;
    const template = document.createElement("template");
    template.innerHTML = html.trim();
    const fresh = template.content.firstElementChild;
    const figure = (element) => element.querySelector(".figure, .figure-cell")?.textContent;
    if (figure(fresh) !== figure(old)) fresh.classList.add("changed");
    const focused = focusables(old).indexOf(document.activeElement);
    old.replaceWith(fresh);
    if (focused >= 0) focusables(fresh)[focused]?.focus({ preventScroll: true });
  };

  const source = new EventSource(address);
  source.addEventListener("open", alive);
  source.addEventListener("heartbeat", alive);
  source.addEventListener("part", (event) => {
    alive();
    const part = JSON.parse(event.data);
    replace(part.id, part.html);
  });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  setInterval(() => Date.now() - heard > SILENCE_MS && show(false), 1000);
})();

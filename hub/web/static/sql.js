// Asks without leaving the page, so that a question that runs long can be stopped: the hub ends it in the warehouse when
// the connection closes. Without this script the form is an ordinary one.
(() => {
  const form = document.getElementById("ask");
  if (!form || !window.DOMParser) return;
  const [run, stop, running] = ["run", "stop", "running"].map((id) => document.getElementById(id));
  let asking;

  const say = (text) => {
    running.textContent = text;
  };

  const busy = (on) => {
    run.disabled = on;
    stop.hidden = !on;
    form.setAttribute("aria-busy", on);
  };

  const put = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const id of ["parameters", "result", "saved"]) {
      document.getElementById(id).replaceWith(document.adoptNode(fresh.getElementById(id)));
    }
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    asking?.abort();
    const mine = (asking = new AbortController());
    const address = `/sql?${new URLSearchParams(new FormData(form))}`;
    const begun = Date.now();
    const ticking = setInterval(() => say(`${form.dataset.running} ${Math.round((Date.now() - begun) / 1000)} s`), 250);
    busy(true);
    try {
      const answer = await fetch(address, { cache: "no-store", headers: { accept: "text/html" }, signal: mine.signal });
      if (answer.status === 401 || answer.redirected) return location.assign(address);
      put(await answer.text());
      history.pushState(null, "", address);
      say("");
    } catch {
      say(mine.signal.aborted ? form.dataset.stopped : form.dataset.unreachable);
    } finally {
      clearInterval(ticking);
      if (asking === mine) busy(false);
    }
  });

  stop.addEventListener("click", () => asking?.abort());
  document.getElementById("query").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  document.addEventListener("focusin", (event) => event.target.id === "address" && event.target.select());
  addEventListener("popstate", () => location.reload());
})();

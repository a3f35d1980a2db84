// Turns the wall to its next part. The next page is asked for first: a hub that does not answer must leave a page that
// says so, not a browser's error. A whole new page each time keeps the memory of a wall that runs for months flat.
(() => {
  const { next, every } = document.body.dataset;
  if (!next) return;

  const RETRY_MS = 5000;

  const turn = async () => {
    try {
      const answer = await fetch(next, { cache: "no-store", redirect: "follow" });
      if (answer.ok) location.replace(next);
      else setTimeout(turn, RETRY_MS);
    } catch {
      setTimeout(turn, RETRY_MS);
    }
  };

  const leave = document.querySelector(".turn a");
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave.click();
    if (event.key === "ArrowRight") turn();
  });
  setTimeout(turn, Number(every) * 1000);
})();

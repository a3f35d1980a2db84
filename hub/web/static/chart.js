// Draws figures that carry their points over the small line that stands there without scripts.
(() => {
  if (!window.uPlot) return;

  const HEIGHT = 210;
  const LABEL_PX = 62;
  const COLOURS = ["#24323f", "#8794a1", "#566270", "#b9c1ca"];
  const ROUND_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720];
  const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]];
  const drawn = new Map();

  const numbers = (language) => new Intl.NumberFormat(language === "vi" ? "vi-VN" : "en-GB", { maximumFractionDigits: 2 });
  const two = (number) => String(number).padStart(2, "0");
  // As the tables write a bucket: 03/2026 or 05/03; in English Mar 2026 or 5 Mar; a minute as 08:15.
  const days = (language, grain, timeZone) => {
    if (grain === "minute") {
      const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hour12: false, timeZone });
      return (seconds) => clock.format(new Date(seconds * 1000));
    }
    const english = new Intl.DateTimeFormat("en-GB",
      grain === "month" ? { month: "short", year: "numeric" } : { day: "numeric", month: "short" });
    return (seconds) => {
      const at = new Date(seconds * 1000);
      if (language !== "vi") return english.format(at);
      const month = two(at.getMonth() + 1);
      return grain === "month" ? `${month}/${at.getFullYear()}` : `${two(at.getDate())}/${month}`;
    };
  };

  const options = (figure, told) => {
    const number = numbers(told.language);
    const day = days(told.language, told.grain, told.timezone);
    const font = getComputedStyle(figure).fontSize + " 'Be Vietnam Pro', sans-serif";
    const series = told.series.map((one, place) => ({
      label: one.name,
      stroke: COLOURS[place],
      dash: DASHES[place],
      width: 2,
      points: { show: false },
      spanGaps: false,
      fill: told.bars ? "#dfe4e9" : undefined,
      paths: told.bars ? uPlot.paths.bars({ size: [0.7, 40] }) : undefined,
      value: (_, value) => (value == null ? "–" : number.format(value) + " " + one.unit),
    }));
    if (told.target != null)
      series.push({ label: told.target_name, stroke: "#8a5300", dash: [4, 4], width: 1.5, points: { show: false },
        value: (_, value) => (value == null ? "–" : number.format(value)) });
    const step = told.x.length > 1 ? told.x[1] - told.x[0] : 86400;
    const room = told.bars ? step * 0.6 : step * 0.2;
    const every = Math.max(1, Math.ceil((told.x.length * LABEL_PX) / Math.max(1, figure.clientWidth - 70)));
    // Minutes are named at round times.
    const minutes = ROUND_MINUTES.find((one) => one >= every) || every;
    const named = told.grain === "minute" ? (at) => (at / 60) % minutes === 0 : (_, place) => place % every === 0;
    return {
      width: figure.clientWidth,
      height: Math.max(HEIGHT, document.body.classList.contains("wall") ? figure.clientHeight - 60 : 0),
      cursor: { drag: { x: false, y: false } },
      legend: { live: true },
      // Until somebody points at the chart its legend tells the last bucket.
      hooks: { ready: [(chart) => chart.setLegend({ idx: told.x.length - 1 })] },
      scales: { x: { time: true, range: (_, first, last) => [first - room, last + room] }, y: told.bars ? { range: (_, low, high) => [Math.min(0, low), high * 1.08 || 1] } : {} },
      axes: [
        { font, stroke: "#566270", grid: { show: false }, values: (_, splits) => splits.map((at) => day(at)),
          splits: () => told.x.filter(named) },
        { font, stroke: "#566270", grid: { stroke: "#e4e8ec" },
          size: (_, labels) => Math.max(64, 20 + 0.62 * parseFloat(font) * Math.max(0, ...(labels || []).map((label) => label.length))), values: (_, splits) => splits.map((at) => number.format(at)) },
      ],
      series: [{ label: told.bucket, value: (_, at) => (at == null ? "–" : day(at)) }, ...series],
    };
  };

  const draw = (figure) => {
    const told = JSON.parse(figure.dataset.chart);
    const data = [told.x, ...told.series.map((one) => one.values)];
    if (told.target != null) data.push(told.x.map(() => told.target));
    figure.replaceChildren();
    const width = figure.clientWidth;
    if (!width) return;
    const chart = new uPlot(options(figure, told), data, figure);
    drawn.set(figure, chart);
  };

  // A block that was read again brings a new figure: the old drawing and its listeners go with the old one.
  const tidy = () => {
    for (const [figure, chart] of drawn)
      if (!figure.isConnected) {
        chart.destroy();
        drawn.delete(figure);
      }
  };

  const all = (root) => {
    tidy();
    root.querySelectorAll("figure[data-chart]").forEach(draw);
  };

  all(document);
  addEventListener("ioc:replaced", (event) => all(event.detail));
  let waits;
  addEventListener("resize", () => {
    clearTimeout(waits);
    waits = setTimeout(() => drawn.forEach((chart, figure) => chart.setSize({ width: figure.clientWidth, height: chart.height })), 150);
  });
})();

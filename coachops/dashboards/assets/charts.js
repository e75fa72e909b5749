// Charts on uPlot, which stands above this text in the same module. Python checks and describes the
// data; here it is drawn, with a legend that reads values at the pointer, and as a table.
/* global uPlot */

const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 4], [1, 4]];
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (index) => style(`--co-series-${(index % 6) + 1}`) || "#0b7a75";

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

export function render({ model, el, signal }) {
  el.classList.add("co-host");
  const caption = make("figcaption");
  const plot = make("div", { class: "co-chart-plot", role: "img" });
  const legend = make("ul", { class: "co-legend" });
  const body = make("div", { class: "co-table-scroll", tabindex: "0", role: "region" });
  const opened = make(
    "details", { class: "co-chart-data" }, make("summary", { text: "Show the figures" }), body,
  );
  const figure = make("figure", { class: "co co-chart" }, caption, plot, legend, opened);
  el.append(figure);
  let chart = null;
  let shape = ""; // what the chart was built for; equal shapes only get new data

  function draw() {
    const spec = model.get("spec");
    caption.replaceChildren(
      make("span", { class: "co-chart-title", text: spec.title }),
      spec.unit && make("span", { class: "co-chart-unit", text: spec.unit }),
      make("p", { class: spec.spoken ? "co-hidden" : "co-chart-summary", text: spec.summary }),
    );
    plot.setAttribute("aria-label", `${spec.title}. ${spec.summary}`);
    body.setAttribute("aria-label", `Figures of ${spec.title}`);
    if (opened.open) fillTable(body, spec);
    const empty = spec.x.length === 0;
    opened.hidden = legend.hidden = empty;
    if (empty) {
      chart?.destroy();
      chart = null;
      shape = "";
      const box = make("div", { class: "co-chart-empty", text: spec.empty });
      box.style.minHeight = `${spec.height}px`;
      plot.replaceChildren(box);
      return;
    }
    const next = JSON.stringify([
      spec.kind, spec.scale, spec.labels, spec.series.map((s) => s.label), spec.x.length === 1, spec.height,
    ]);
    if (chart && next === shape) {
      chart.setData(dataOf(spec));
      showLast();
      return;
    }
    chart?.destroy();
    plot.replaceChildren();
    shape = next;
    drawLegend(spec);
    chart = new uPlot(optionsOf(spec, width(), () => model.get("spec"), showAt), dataOf(spec), plot);
    showLast();
  }

  const width = () => Math.max(160, Math.floor(plot.clientWidth || 320));
  const values = [];
  let at = null;
  function drawLegend(spec) {
    values.length = 0;
    at = make("li", { class: "co-legend-at" });
    legend.replaceChildren(
      ...spec.series.map((series, index) => {
        const value = make("span", { class: "co-legend-value" });
        values.push(value);
        return make("li", {}, swatch(spec.kind, index), make("span", { text: series.label }), value);
      }),
      at,
    );
  }
  function showAt(index) {
    const spec = model.get("spec");
    if (index === null || index === undefined || index >= spec.x.length) return showLast();
    values.forEach((node, i) => {
      node.textContent = format(spec.series[i]?.values[index]);
    });
    at.textContent = spec.names[index];
  }
  // without a pointer the legend shows the last point, which a reader wants to know first
  function showLast() {
    const spec = model.get("spec");
    if (spec.scale !== "names") return spec.x.length && showAt(spec.x.length - 1);
    values.forEach((node) => (node.textContent = "")); // the last of several names says nothing
    at.textContent = "";
  }

  opened.addEventListener("toggle", () => opened.open && fillTable(body, model.get("spec")));
  const observer = new ResizeObserver(() => {
    if (!chart || !plot.clientWidth || chart.width === width()) return;
    chart.setSize({ width: width(), height: model.get("spec").height });
  });
  observer.observe(plot);
  model.on("change:spec", draw);
  draw();
  signal.addEventListener("abort", () => {
    observer.disconnect();
    chart?.destroy();
  });
}

function format(value) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en", { maximumFractionDigits: 2 });
}

function swatch(kind, index) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("width", "22");
  svg.setAttribute("height", "12");
  svg.setAttribute("aria-hidden", "true");
  const mark = document.createElementNS(ns, kind === "line" ? "line" : "rect");
  const put = (attributes) =>
    Object.entries(attributes).forEach(([name, value]) => mark.setAttribute(name, value));
  if (kind === "line") {
    put({ x1: 0, y1: 6, x2: 22, y2: 6, stroke: colour(index), "stroke-width": 2.5 });
    put({ "stroke-dasharray": DASHES[index % 6].join(" ") });
  } else put({ x: 4, y: 0, width: 12, height: 12, rx: 3, fill: colour(index) });
  svg.append(mark);
  return svg;
}

// Stacked bars are drawn from the highest sum to the lowest, each over the last.
function dataOf(spec) {
  const columns = spec.series.map((series) => series.values);
  if (spec.kind !== "stacked") return [spec.x, ...columns];
  const sums = new Array(spec.x.length).fill(0);
  const stacked = columns.map((column) =>
    column.map((value, i) => {
      if (value === null) return null;
      sums[i] += value;
      return sums[i];
    }),
  );
  return [spec.x, ...stacked.reverse()];
}

function optionsOf(spec, width, current, showAt) {
  const bars = spec.kind !== "line";
  const text = { font: `12px ${style("--co-font") || "sans-serif"}`, stroke: style("--co-muted") };
  const lines = { stroke: style("--co-line"), width: 1 };
  const count = spec.series.length;
  const series = spec.series.map((one, at) => {
    const index = spec.kind === "stacked" ? count - 1 - at : at;
    const ink = colour(index);
    if (!bars) {
      return {
        label: one.label, stroke: ink, width: 2.25, dash: DASHES[index % 6], spanGaps: false,
        fill: count === 1 ? `${ink}14` : undefined,
        points: { show: current().x.length <= 40 || undefined, size: 6, fill: ink },
      };
    }
    return {
      label: spec.series[index].label, fill: ink, stroke: ink, width: 0,
      paths: spec.kind === "stacked" || count === 1
        ? uPlot.paths.bars({ size: [0.62, 64], radius: count === 1 ? 0.12 : 0 })
        : beside(at, count, current), points: { show: false },
    };
  });
  const step = bars ? gap(spec) : 0;
  return {
    width, height: spec.height, series: [{}, ...series], legend: { show: false }, padding: [10, 8, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), spec.zone),
    cursor: {
      drag: { x: false, y: false }, y: false,
      points: bars ? { show: false } : { size: 9, fill: (u, i) => u.series[i].stroke(u, i) },
    },
    hooks: { setCursor: [(u) => showAt(u.cursor.idx)] },
    scales: {
      x: {
        time: spec.scale === "time",
        range: (u, least, most) => {
          if (bars) {
            const { x } = current();
            return [x[0] - step * 0.6, x[x.length - 1] + step * 0.6];
          }
          const half = spec.scale === "time" ? 43_200 : 0.5;
          const { x } = current(); // uPlot widens a single moment to years
          return x.length === 1 ? [x[0] - half, x[0] + half] : [least, most];
        },
      },
      // counts and shares are read against zero
      y: { range: (u, least, most) => scaleOf(least, most) },
    },
    axes: [
      {
        ...text, grid: { show: false }, ticks: { ...lines, size: 4 }, size: spec.scale === "time" && !bars ? 46 : 34, space: 56,
        ...(spec.scale === "time" && { values: (u, at, axis, space, step) => moments(at, step, spec.zone) }),
        ...(spec.scale === "names" && {
          splits: () => current().x, space: 0,
          values: (u, at) => thin(current().labels, at.length, u.bbox.width / devicePixelRatio),
        }),
        ...(spec.scale === "time" && bars && spec.x.length <= 12 && {
          splits: () => current().x, space: 0,
          values: (u) => thin(current().ticks, current().ticks.length, u.bbox.width / devicePixelRatio),
        }),
      },
      {
        ...text, grid: lines, ticks: { show: false }, space: 36,
        size: (u, shown) => Math.max(36, 14 + 7 * Math.max(0, ...(shown ?? []).map((v) => v.length))),
        values: (u, at) => at.map((v) => short(v)),
      },
    ],
  };
}

// Ticks of a time axis: hours with the day below where it changes, days, or months with the year.
function moments(seconds, step, zone) {
  const day = 86_400;
  const say = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
  const fine =
    step < day ? say({ hour: "2-digit", minute: "2-digit" })
    : step < 28 * day ? say({ day: "numeric", month: "short" })
    : step < 360 * day ? say({ month: "short" })
    : say({ year: "numeric" });
  const coarse = step < day ? say({ day: "numeric", month: "short" }) : say({ year: "numeric" });
  let before = null;
  return seconds.map((second) => {
    const at = new Date(second * 1e3);
    const group = coarse.format(at);
    const text = fine.format(at);
    const shown = group === before || step >= 360 * day ? text : `${text}\n${group}`;
    before = group;
    return shown;
  });
}

function scaleOf(least, most) {
  if (least === null || most === null) return [0, 1];
  const low = Math.min(0, least);
  const high = Math.max(0, most);
  if (low === high) return [0, 1];
  return [low * 1.08, high * 1.08];
}

const short = (value) =>
  Math.abs(value) >= 10_000
    ? value.toLocaleString("en", { notation: "compact" })
    : value.toLocaleString("en", { maximumFractionDigits: 2 });

// The least distance of two bars.
function gap(spec) {
  let least = Infinity;
  for (let i = 1; i < spec.x.length; i += 1) least = Math.min(least, spec.x[i] - spec.x[i - 1]);
  if (Number.isFinite(least)) return least;
  return spec.scale === "time" ? 86_400 : 1;
}

// Bars of several series side by side in the place of one.
function beside(index, count, current) {
  const slot = () => (gap(current()) * 0.72) / count;
  return uPlot.paths.bars({
    radius: 0,
    disp: {
      x0: { unit: 1, values: () => current().x.map((x) => x - (slot() * count) / 2 + slot() * index) },
      size: { unit: 1, values: () => current().x.map(() => slot() * 0.9) },
    },
  });
}

// As many names as there is room for; the others stay blank.
function thin(names, count, width) {
  const room = width / Math.max(1, count);
  const longest = Math.max(...names.map((name) => name.length), 1);
  const fits = Math.floor(room / 6.6);
  const every = longest * 6.6 + 10 <= room || fits >= 8 ? 1 : Math.ceil((Math.min(longest, 10) * 6.6 + 12) / room);
  const limit = Math.max(8, Math.floor((room * every) / 6.6) - 1);
  return names.map((name, i) => {
    if (i % every) return "";
    return name.length > limit ? `${name.slice(0, limit - 1)}…` : name;
  });
}

function fillTable(box, spec) {
  const head = make(
    "tr", {}, make("th", { scope: "col", class: "co-cell", text: spec.axis }),
    ...spec.series.map((s) => make("th", { scope: "col", class: "co-cell co-end", text: s.label })),
  );
  const rows = spec.names.map((name, i) =>
    make(
      "tr", {}, make("th", { scope: "row", class: "co-cell", text: name }),
      ...spec.series.map((s) => make("td", { class: "co-cell co-end", text: format(s.values[i]) })),
    ),
  );
  box.replaceChildren(
    make(
      "table", { class: "co-table" },
      make("caption", { class: "co-hidden", text: `${spec.title}${spec.unit ? `, ${spec.unit}` : ""}` }),
      make("thead", {}, head), make("tbody", {}, ...rows),
    ),
  );
}

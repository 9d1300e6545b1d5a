// Charts as inline SVG, drawn for the width at hand. Each has a table with the same numbers behind it.

import { h, s } from "./dom.js";
import { percent } from "./text.js";

const margin = { top: 14, right: 14, bottom: 34, left: 46 };

/** Round numbers that cover a range. */
function ticks(low, high, wanted) {
  const span = high - low || 1;
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(f => f * power).find(size => size >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

const chartTable = (caption, head, rows) => h("details", { class: "numbers", "data-key": `numbers-${caption}` }, h("summary", null, `${caption} as a table`),
  h("div", { class: "numbers-box", tabindex: "0", role: "region", "aria-label": `${caption}: table` }, h("table", null, h("caption", { class: "unseen" }, caption), h("thead", null, h("tr", null, head.map(name => h("th", { scope: "col" }, name)))), h("tbody", null, rows.map(row => h("tr", null, row.map((cell, i) => h(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null }, cell))))))));

/**
 * Curves over steps: the mean of the steps around each, so that the way can be seen, and faintly the steps themselves.
 * @param {{caption: string, width: number, xName: string, yName: string, xMax: number, yMin?: number, yMax?: number, format: (v: number) => string,
 *   series: {name: string, tone: string, points: [number, number | null][]}[]}} chart What is drawn; null is a gap.
 */
export function lines(chart) {
  const height = chart.width < 480 ? 210 : 250;
  const series = chart.series.map(one => ({ ...one, known: one.points.filter(point => point[1] !== null) })).filter(one => one.known.length > 0);
  const all = series.flatMap(one => one.known.map(point => point[1]));
  const low = chart.yMin ?? Math.min(0, ...all);
  const high = chart.yMax ?? (Math.max(...all) || 1) * 1.05;
  const inner = { width: chart.width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const x = value => margin.left + inner.width * (chart.xMax > 1 ? (value - 1) / (chart.xMax - 1) : 0.5);
  const y = value => margin.top + inner.height * (1 - (value - low) / (high - low || 1));
  const xTicks = ticks(1, Math.max(2, chart.xMax), chart.width < 480 ? 4 : 7).filter(Number.isInteger);
  const reach = Math.floor(Math.max(...series.map(one => one.known.length)) / 24);
  for (const one of series) {
    // What few steps have is shown as it is, point by point.
    one.sparse = one.known.length * 2 < one.points.length;
    one.mean = one.sparse ? one.known : reach > 0 ? smooth(one.points, reach) : one.points;
  }
  const last = one => one.mean.findLast(point => point[1] !== null)[1];
  const steps = [...new Set(series.flatMap(one => one.known.map(point => point[0])))].sort((a, b) => a - b);
  const label = `${chart.caption}: ${series.map(one => `${one.name} from ${chart.format(one.mean.find(point => point[1] !== null)[1])} to ${chart.format(last(one))}`).join("; ")}`;
  const path = points => points.map(([step, value], i) => value === null ? "" : `${i === 0 || points[i - 1][1] === null ? "M" : "L"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const svg = s("svg", { class: "chart", viewBox: `0 0 ${chart.width} ${height}`, width: chart.width, height, role: "img", "aria-label": label },
    ticks(low, high, 4).map(value => [s("line", { class: "grid", x1: margin.left, x2: chart.width - margin.right, y1: y(value), y2: y(value) }), s("text", { class: "tick", x: margin.left - 8, y: y(value) + 4, "text-anchor": "end" }, chart.format(value))]),
    xTicks.map(value => s("text", { class: "tick", x: x(value), y: height - 17, "text-anchor": "middle" }, String(value))),
    s("text", { class: "axis", x: chart.width - margin.right, y: height - 3, "text-anchor": "end" }, chart.xName),
    s("line", { class: "base", x1: margin.left, x2: chart.width - margin.right, y1: margin.top + inner.height, y2: margin.top + inner.height }),
    series.map(one => one.sparse ? one.known.map(([step, value]) => s("circle", { class: `dot ${one.tone}`, cx: x(step), cy: y(value), r: 2.5 })) : reach > 0 ? s("path", { class: `curve each ${one.tone}`, d: path(one.points) }) : null),
    series.map(one => [
      s("path", { class: `curve ${one.tone}`, d: path(one.mean) }),
      s("circle", { class: `end ${one.tone}`, cx: x(one.mean.findLast(point => point[1] !== null)[0]), cy: y(last(one)), r: 4 }),
    ]),
    s("g", { class: "hover" }, s("line", { class: "cross", y1: margin.top, y2: margin.top + inner.height })));
  const legend = h("ul", { class: "legend" }, series.map(one => h("li", null, s("svg", { class: "swatch", viewBox: "0 0 26 8", width: 26, height: 8, "aria-hidden": "true", focusable: "false" }, s("path", { class: `curve ${one.tone}`, d: "M1 4H25" })), h("span", null, one.name, " "), h("b", { class: "legend-value" }, chart.format(last(one))))));
  const read = (element, step) => {
    const hover = element.querySelector(".hover");
    hover.classList.toggle("on", step !== null);
    if (step !== null) {
      hover.firstChild.setAttribute("x1", x(step));
      hover.firstChild.setAttribute("x2", x(step));
    }
    const values = element.parentNode.querySelectorAll(".legend-value");
    series.forEach((one, i) => {
      const found = step === null ? last(one) : one.mean.find(point => point[0] === step)?.[1] ?? null;
      values[i].textContent = found === null ? "–" : `${chart.format(found)}${step === null ? "" : ` at ${step}`}`;
    });
  };
  svg.onpointermove = event => {
    const box = event.currentTarget.getBoundingClientRect();
    read(event.currentTarget, nearest(steps, 1 + ((event.clientX - box.left) * chart.width / box.width - margin.left) / inner.width * (chart.xMax - 1)));
  };
  svg.onpointerleave = event => read(event.currentTarget, null);
  return h("figure", { class: "figure", "data-key": chart.caption }, h("figcaption", null, h("span", { class: "figure-title" }, chart.caption), h("span", { class: "figure-unit" }, reach > 0 ? `${chart.yName}, mean of ${2 * reach + 1} steps` : chart.yName)), legend, svg,
    chartTable(chart.caption, [chart.xName, ...series.map(one => one.name)], steps.map(step => [String(step), ...series.map(one => { const found = one.points.find(point => point[0] === step); return found && found[1] !== null ? chart.format(found[1]) : "–"; })])));
}

/** The mean of each point and so many on both sides of it; gaps stay gaps. */
const smooth = (points, reach) => points.map(([step, value], i) => {
  if (value === null) return [step, null];
  const around = points.slice(Math.max(0, i - reach), i + reach + 1).map(point => point[1]).filter(one => one !== null);
  return [step, around.reduce((a, b) => a + b, 0) / around.length];
});

const nearest = (steps, wanted) => steps.reduce((best, step) => Math.abs(step - wanted) < Math.abs(best - wanted) ? step : best, steps[0]);

/**
 * Bars that are made of parts, all on one scale.
 * @param {{caption: string, unit: string, width: number, parts: {name: string, tone: string}[], rows: {name: string, values: number[]}[], format: (v: number) => string}} chart What is drawn.
 */
export function stacked(chart) {
  const most = Math.max(...chart.rows.map(row => row.values.reduce((a, b) => a + b, 0)), 1e-9);
  return h("figure", { class: "figure", "data-key": chart.caption }, h("figcaption", null, h("span", { class: "figure-title" }, chart.caption), h("span", { class: "figure-unit" }, chart.unit)),
    h("ul", { class: "legend" }, chart.parts.map(part => h("li", null, s("svg", { class: "swatch", viewBox: "0 0 14 10", width: 14, height: 10, "aria-hidden": "true", focusable: "false" }, s("rect", { class: `part ${part.tone}`, width: 14, height: 10, rx: 2 })), h("span", null, part.name)))),
    h("ul", { class: "bars" }, chart.rows.map(row => {
      const sum = row.values.reduce((a, b) => a + b, 0);
      let from = 0;
      return h("li", { "data-key": row.name }, h("span", { class: "bars-name", title: row.name }, row.name),
        s("svg", { class: "bars-bar", viewBox: "0 0 1000 18", preserveAspectRatio: "none", width: "100%", height: 18, role: "img", "aria-label": `${row.name}: ${chart.parts.map((part, i) => `${part.name} ${chart.format(row.values[i])}`).join(", ")}` },
          row.values.map((value, i) => { const width = 1000 * value / most; const rect = s("rect", { class: `part ${chart.parts[i].tone}`, x: from, width: Math.max(0, width - 2), height: 18 }); from += width; return rect; })),
        h("span", { class: "bars-value" }, chart.format(sum)));
    })),
    chartTable(chart.caption, ["", ...chart.parts.map(part => part.name), "Sum"], chart.rows.map(row => [row.name, ...row.values.map(chart.format), chart.format(row.values.reduce((a, b) => a + b, 0))])));
}

/**
 * One bar a row.
 * @param {{caption: string, unit: string, rows: {name: string, value: number, note: string}[], most: number, limit: number}} chart What is drawn.
 */
export function bars(chart) {
  const scale = Math.max(...chart.rows.map(row => row.value), 1e-9);
  const shown = new Set([...chart.rows].sort((a, b) => b.value - a.value).slice(0, chart.limit));
  const draw = row => h("li", { "data-key": row.name }, h("span", { class: "bars-name", title: row.name }, row.name),
    s("svg", { class: "bars-bar", viewBox: "0 0 1000 14", preserveAspectRatio: "none", width: "100%", height: 14, "aria-hidden": "true", focusable: "false" }, s("rect", { class: "track", width: 1000, height: 14 }), s("rect", { class: "part tone-1", width: 1000 * row.value / scale, height: 14 })),
    h("span", { class: "bars-value" }, percent(row.value, row.value < 0.001 ? 2 : 1)));
  return h("figure", { class: "figure", "data-key": chart.caption }, h("figcaption", null, h("span", { class: "figure-title" }, chart.caption), h("span", { class: "figure-unit" }, chart.unit)),
    h("ul", { class: "bars" }, chart.rows.filter(row => shown.has(row)).map(draw)),
    chart.rows.length > shown.size ? h("p", { class: "quiet" }, `The ${shown.size} of ${chart.rows.length} layers that lost most; the table has all.`) : null,
    chartTable(chart.caption, ["Layer", "Share", "Weights"], chart.rows.map(row => [row.name, percent(row.value, 2), row.note])));
}

/**
 * How figures moved from one state of the model to the next, each on a scale from 0 to 100 %.
 * @param {{caption: string, marks: {name: string, shape: string}[], rows: {name: string, hint: string, values: (number|null)[]}[]}} chart What is drawn.
 */
export function moves(chart) {
  const size = 16;
  const mark = (shape, x, y) => shape === "before" ? s("circle", { class: "mark mark-before", cx: x, cy: y, r: 5 }) : shape === "trim" ? s("path", { class: "mark mark-trim", d: `M${x} ${y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z` }) : s("circle", { class: "mark mark-after", cx: x, cy: y, r: 6 });
  return h("figure", { class: "figure", "data-key": chart.caption }, h("figcaption", null, h("span", { class: "figure-title" }, chart.caption)),
    h("ul", { class: "legend" }, chart.marks.map(one => h("li", null, s("svg", { class: "swatch", viewBox: `0 0 ${size} ${size}`, width: size, height: size, "aria-hidden": "true", focusable: "false" }, mark(one.shape, size / 2, size / 2)), h("span", null, one.name)))),
    h("ul", { class: "moves" }, chart.rows.map(row => {
      const known = row.values.map((value, i) => ({ value, shape: chart.marks[i].shape, name: chart.marks[i].name })).filter(one => one.value !== null && one.value !== undefined);
      const at = value => 10 + value * (chart.width - 20);
      return h("li", { "data-key": row.name },
        h("div", { class: "moves-head" }, h("span", { class: "moves-name" }, row.name), h("span", { class: "moves-values" }, known.length > 1 ? [percent(known[0].value), " → ", h("b", null, percent(known.at(-1).value))] : h("b", null, percent(known[0]?.value)))),
        s("svg", { class: "moves-bar", viewBox: `0 0 ${chart.width} 26`, width: chart.width, height: 26, role: "img", "aria-label": `${row.name}: ${known.map(one => `${one.name} ${percent(one.value)}`).join(", ")}` },
          s("line", { class: "track-line", x1: 10, x2: chart.width - 10, y1: 13, y2: 13 }),
          [0, 0.25, 0.5, 0.75, 1].map(value => s("line", { class: "track-tick", x1: at(value), x2: at(value), y1: 10, y2: 16 })),
          known.length > 1 ? s("line", { class: "move", x1: at(known[0].value), x2: at(known.at(-1).value), y1: 13, y2: 13 }) : null,
          known.map(one => mark(one.shape, at(one.value), 13))),
        h("p", { class: "moves-hint" }, row.hint));
    })),
    chartTable(chart.caption, ["", ...chart.marks.map(one => one.name)], chart.rows.map(row => [row.name, ...row.values.map(value => percent(value))])));
}

/** Shares of a whole, as one bar with names and numbers under it. */
export function shares(label, parts) {
  const sum = parts.reduce((total, part) => total + part.value, 0) || 1;
  let from = 0;
  return h("div", { class: "shares" },
    s("svg", { class: "shares-bar", viewBox: "0 0 1000 14", preserveAspectRatio: "none", width: "100%", height: 14, role: "img", "aria-label": `${label}: ${parts.map(part => `${part.value} ${part.name}`).join(", ")}` },
      parts.filter(part => part.value > 0).map(part => { const width = 1000 * part.value / sum; const rect = s("rect", { class: `fill-${part.tone}`, x: from, width: Math.max(2, width - 4), height: 14 }); from += width; return rect; })),
    h("ul", { class: "legend" }, parts.map(part => h("li", { class: part.value ? null : "none" }, s("svg", { class: "swatch", viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true", focusable: "false" }, s("rect", { class: `fill-${part.tone}`, width: 12, height: 12, rx: 3 })), part.href ? h("a", { href: part.href }, part.name) : h("span", null, part.name), " ", h("b", null, String(part.value))))));
}

// Parts that several pages are made of.

import { h, s } from "./dom.js";
import { download } from "./api.js";
import { sentence, words } from "./text.js";

const shapes = {
  done: () => s("path", { d: "M3.5 8.5 6.5 11.5 12.5 4.5" }),
  work: () => [s("circle", { cx: 8, cy: 8, r: 5.5, class: "faint" }), s("path", { d: "M8 2.5a5.5 5.5 0 0 1 5.5 5.5", class: "spin" })],
  wait: () => [s("circle", { cx: 8, cy: 8, r: 5.5 }), s("path", { d: "M8 4.8V8l2.2 1.6" })],
  fail: () => s("path", { d: "M4 4l8 8M12 4l-8 8" }),
  stop: () => [s("circle", { cx: 8, cy: 8, r: 5.5 }), s("path", { d: "M4.2 11.8l7.6-7.6" })],
  hold: () => s("path", { d: "M5.5 3.5v9M10.5 3.5v9" }),
  warn: () => [s("path", { d: "M8 2.5 14 13H2z" }), s("path", { d: "M8 6.5v3M8 11.2v.2" })],
  info: () => [s("circle", { cx: 8, cy: 8, r: 5.8 }), s("path", { d: "M8 7.4v3.4M8 5v.2" })],
};

export const icon = (name, label) => s("svg", { class: `icon icon-${name}`, viewBox: "0 0 16 16", width: 16, height: 16, focusable: "false", ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }) }, shapes[name]());

const looks = {
  queued: ["wait", "quiet"], running: ["work", "active"], completed: ["done", "good"], failed: ["fail", "bad"], cancelled: ["stop", "quiet"],
  received: ["wait", "quiet"], accepted: ["wait", "calm"], scheduled: ["wait", "active"], verifying: ["work", "active"], onHold: ["hold", "held"], rejected: ["stop", "quiet"],
  onTime: ["done", "good"], atRisk: ["warn", "warn"], missed: ["fail", "bad"],
  pass: ["done", "good"], fail: ["fail", "bad"], inconclusive: ["warn", "warn"], unjudged: ["info", "quiet"],
  tooHigh: ["fail", "bad"], tooLow: ["fail", "bad"],
  current: ["done", "good"], superseded: ["stop", "quiet"], destroyed: ["stop", "quiet"], rolledBack: ["warn", "warn"],
  kept: ["info", "quiet"],
};

const names = { atRisk: "at risk", onTime: "on time", onHold: "on hold", missed: "deadline missed", pass: "passed", fail: "failed", rolledBack: "rolled back" };

export const nameOf = state => names[state] ?? words(state);

/** A state by icon, words and colour: never by colour alone. */
export function badge(state, text) {
  const [shape, tone] = looks[state] ?? ["info", "quiet"];
  return h("span", { class: `badge tone-${tone}` }, icon(shape), h("span", null, text ?? sentence(nameOf(state))));
}

export const card = (title, properties, ...children) => h("section", { class: `card ${properties?.class ?? ""}`, "aria-labelledby": properties?.id ? `${properties.id}-title` : null, "data-key": properties?.id },
  title === null ? null : h("div", { class: "card-head" }, h("h2", { id: properties?.id ? `${properties.id}-title` : null }, title), properties?.aside),
  ...children);

export const notice = (tone, title, ...children) => h("div", { class: `notice tone-${tone}`, role: tone === "bad" ? "alert" : null },
  icon(tone === "bad" ? "fail" : tone === "warn" ? "warn" : tone === "good" ? "done" : tone === "held" ? "hold" : "info"), h("div", null, h("p", { class: "notice-title" }, title), ...children));

/** What to do where there is nothing yet. */
export const empty = (title, text, command) => h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", null, text), command ? shell(command) : null);

export const shell = command => h("pre", { class: "shell", tabindex: "0", "aria-label": "Command" }, h("code", null, command));

export const facts = rows => h("dl", { class: "facts" }, rows.filter(row => row && row[1] !== null && row[1] !== undefined).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));

/** A bar that fills up. */
export function progress(share, label) {
  const width = Math.max(0, Math.min(1, share ?? 0));
  return s("svg", { class: `bar ${share === null ? "bar-unknown" : ""}`, role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": share === null ? null : Math.round(100 * width), viewBox: "0 0 100 6", preserveAspectRatio: "none", width: "100%", height: 6 },
    s("rect", { class: "bar-back", width: 100, height: 6 }), s("rect", { class: "bar-front", width: 100 * width, height: 6 }));
}

/** A button that gives the reader a file; what goes wrong is said beside it. */
export function downloadButton(text, path, name) {
  const problem = h("span", { class: "problem", role: "status" });
  const button = h("button", {
    type: "button", class: "button",
    onclick: async event => {
      const spot = event.currentTarget.nextElementSibling;
      spot.textContent = "";
      try {
        await download(path, name);
      } catch (error) {
        spot.textContent = sentence(error.message);
      }
    },
  }, s("svg", { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false" }, s("path", { d: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.2h10" })), text);
  return h("span", { class: "download" }, button, problem);
}

/** A short id with the whole one as its title. */
export const short = id => h("span", { class: "id", title: id }, id.length > 12 ? `${id.slice(0, 8)}…` : id);

export const runLink = (id, text) => h("a", { href: `#/runs/${encodeURIComponent(id)}` }, text ?? ["Run ", short(id)]);
export const requestLink = (id, text) => h("a", { href: `#/requests/${encodeURIComponent(id)}` }, text ?? ["Request ", short(id)]);
export const modelLink = (name, text) => h("a", { href: `#/models/${encodeURIComponent(name)}` }, text ?? name);

/** Columns that become lines of a list where the page is narrow. */
export function table(caption, columns, rows) {
  return h("div", { class: "table-box" }, h("table", { class: "rows" }, h("caption", { class: "unseen" }, caption),
    h("thead", null, h("tr", null, columns.map(column => h("th", { scope: "col", class: column.class ?? null }, column.name)))),
    h("tbody", null, rows.map(row => h("tr", { "data-key": row.key }, row.cells.map((cell, i) => h(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null, class: columns[i].class ?? null, "data-name": columns[i].name }, cell)))))));
}

/** What a refusal means, and what would help. */
export function refusal(error, what) {
  if (error.status === 403) {
    const scope = /scope (\w+)/.exec(error.message)?.[1] ?? "operate";
    return notice("info", `${what} need the scope “${scope}”`, h("p", null, `Your key is valid but does not hold it. Whoever runs the coordinator makes one with `, h("code", null, `scissorhands key NAME --scope ${scope} --keys FILE`), ", or your issuer adds the scope to your token."));
  }
  return notice("bad", `${what} cannot be shown`, h("p", null, sentence(error.message)));
}

// Words and numbers as people read them.

import { h } from "./dom.js";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = number => whole.format(number);

export const plural = (number, one, many = one + "s") => `${count(number)} ${number === 1 ? one : many}`;

/** A share in [0,1] as percent. */
export function percent(share, digits = 1) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits).replace(/\.0+$/, "")} %`;
}

/** Seconds in the two units that matter. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  const [name, size] = units[first];
  const main = Math.floor(seconds / size);
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds - main * size) / next[1]) : 0;
  return rest > 0 ? `${main} ${name} ${rest} ${next[0]}` : `${main} ${name}`;
}

/** How far a moment is from now, in words. */
export function fromNow(moment, now = Date.now()) {
  const seconds = (moment - now) / 1000;
  const far = Math.abs(seconds);
  if (far < 5) return "just now";
  const [unit, size] = far < 60 ? ["second", 1] : far < 3600 ? ["minute", 60] : far < 2 * 86400 ? ["hour", 3600] : ["day", 86400];
  return relative.format(Math.trunc(seconds / size), unit);
}

export const absolute = moment => `${new Date(moment).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** A moment relative to now, which stays right while the page is open, with the exact time as its title. */
export function time(iso, none = "–") {
  if (!iso) return none;
  const moment = Date.parse(iso);
  return h("time", { datetime: iso, title: absolute(moment) }, fromNow(moment));
}

/** Brings all relative times on the page up to date. */
export function refreshTimes() {
  for (const element of document.querySelectorAll("time[datetime]")) {
    const text = fromNow(Date.parse(element.getAttribute("datetime")));
    if (element.textContent !== text) element.textContent = text;
  }
}

/** The time between two moments, or from one until now. */
export const between = (from, to) => from ? duration(((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000) : "–";

export const sentence = text => text ? text[0].toUpperCase() + text.slice(1) : "";

/** Camel case as words. */
export const words = name => name.replace(/[A-Z]/g, letter => " " + letter.toLowerCase());

/** What a figure in percent may be. */
export const bounds = (min, max) => min !== null && min !== undefined && max !== null && max !== undefined ? `allowed: ${percent(min / 100)} to ${percent(max / 100)}` : min !== null && min !== undefined ? `at least ${percent(min / 100)}` : max !== null && max !== undefined ? `at most ${percent(max / 100)}` : "no bound";

// The pages' frame: which page is shown, the reader's key, and what is said while the coordinator does not answer.

import { announce, h, update } from "./dom.js";
import { CallError, call, key, needsKey, pause } from "./api.js";
import { refreshTimes, sentence } from "./text.js";
import { empty, icon, notice } from "./parts.js";
import { overview } from "./overview.js";
import { runs } from "./runs.js";
import { run } from "./run.js";
import { request, requests } from "./requests.js";
import { model, models } from "./models.js";

const main = document.getElementById("main");
const banner = document.getElementById("banner");
const sections = [["#/", "Overview"], ["#/runs", "Runs"], ["#/requests", "Requests"], ["#/models", "Models"]];
const routes = [
  [/^$/, overview, "#/"],
  [/^runs$/, runs, "#/runs"],
  [/^runs\/([^/]+)$/, run, "#/runs"],
  [/^requests$/, requests, "#/requests"],
  [/^requests\/([^/]+)$/, request, "#/requests"],
  [/^models$/, models, "#/models"],
  [/^models\/([^/]+)$/, model, "#/models"],
];

let leaving = new AbortController();
let first = true;
let page = null;

/** What a page is given: where it is shown, and when it is left. */
class Page {
  constructor(signal) {
    this.signal = signal;
    this.width = 0;
    this.measure();
  }

  /** The width that charts are drawn for. */
  measure() {
    this.width = Math.max(260, Math.min(1080, main.clientWidth));
  }

  /** Shows the page's content. */
  show(title, ...content) {
    if (this.signal.aborted) return;
    this.shown = true;
    document.title = `${title} · Scissorhands`;
    update(main, ...content);
    if (this.focusing) {
      this.focusing = false;
      main.querySelector("h1")?.focus();
    }
  }

  /** Nothing of another page is to stand under this one's address. */
  wait() {
    document.title = "Waiting · Scissorhands";
    update(main, h("h1", { tabindex: "-1" }, "Waiting for the coordinator"));
  }

  /** Does something until the coordinator answers, less and less often; what would not pass is thrown. */
  async insist(action) {
    for (let wait = 1000; ; wait = Math.min(wait * 2, 30_000)) {
      try {
        const value = await action();
        this.health(null);
        return value;
      } catch (error) {
        if (this.signal.aborted || !(error instanceof CallError) || !error.passes) throw error;
        this.health(error);
        if (!this.shown) this.wait();
        await pause(Math.min(Math.max(wait, (error.retryAfter ?? 0) * 1000), 30_000), this.signal);
        while (document.hidden && !this.signal.aborted) await pause(1000, this.signal);
        if (this.signal.aborted) throw error;
      }
    }
  }

  /** Does something now and every so often, not while nobody looks. */
  async every(milliseconds, action) {
    while (!this.signal.aborted) {
      await this.insist(action);
      await pause(milliseconds, this.signal);
      while (document.hidden && !this.signal.aborted) await pause(1000, this.signal);
    }
  }

  /** Says whether the coordinator answers. */
  health(error) {
    if (this.signal.aborted) return;
    if (error?.status === 401) return refused(error);
    update(banner, error ? h("div", { class: "banner tone-warn" }, icon("warn"), h("span", null, `${sentence(error.message)} What is shown may be old; it is tried again.`)) : null);
  }
}

function refused(error) {
  key.clear();
  signIn({ problem: error.message });
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const path = location.hash.replace(/^#\/?/, "").split("?")[0];
  const query = new URLSearchParams(location.hash.split("?")[1] ?? "");
  const [pattern, view, section] = routes.find(([candidate]) => candidate.test(path)) ?? [null, null, null];
  update(banner);
  frame(section);
  if (needsKey && !key.get()) return signIn();
  page = new Page(leaving.signal);
  const shown = page;
  page.focusing = !first;
  page.query = query;
  first = false;
  if (!view) return page.show("Not found", h("h1", { tabindex: "-1" }, "There is no such page"), empty("This address leads nowhere", "Begin with the overview."), h("p", null, h("a", { href: "#/" }, "Overview")));
  try {
    await view(shown, ...pattern.exec(path).slice(1).map(decodeURIComponent));
  } catch (error) {
    if (shown.signal.aborted) return;
    if (error instanceof CallError && error.status === 401) return refused(error);
    if (!(error instanceof CallError)) console.error(error);
    shown.redraw = null;
    shown.show("Problem", h("h1", { tabindex: "-1" }, error.status === 404 ? "Not found" : "This page cannot be shown"), notice("bad", sentence(error.message), h("p", null, h("a", { href: "#/" }, "Back to the overview"))));
  }
}

// Charts are drawn for a width, and anew for another one.
let redraw = 0;
let width = main.clientWidth;
new ResizeObserver(() => {
  cancelAnimationFrame(redraw);
  redraw = requestAnimationFrame(() => {
    if (main.clientWidth === width) return;
    width = main.clientWidth;
    page?.measure();
    page?.redraw?.();
  });
}).observe(main);

function frame(section) {
  const known = !needsKey || key.get();
  update(document.getElementById("nav"), known ? h("ul", null, sections.map(([address, name]) => h("li", null, h("a", { href: address, "aria-current": address === section ? "page" : null }, name)))) : null);
  update(document.getElementById("account"), needsKey && key.get() ? h("button", { type: "button", class: "button plain", onclick: signOut }, "Sign out") : null);
}

function signOut() {
  key.clear();
  // Not by location.hash, whose event would show the sign-in once more, without the note.
  history.replaceState(null, "", "#/");
  signIn({ note: "You are signed out. The key is no longer in this browser." });
}

// A problem is the key's; trouble is not, and the key stays in the field to be tried again.
function signIn({ problem = null, trouble = null, note = null, value = "" } = {}) {
  leaving.abort();
  leaving = new AbortController();
  frame(null);
  document.title = "Sign in · Scissorhands";
  update(banner);
  update(main, h("div", { class: "signin", "data-key": "signin" },
    h("h1", { tabindex: "-1" }, "Sign in"),
    h("p", null, "This coordinator shows its runs and requests to callers with a key or a token."),
    problem ? notice("bad", "This key is not accepted", h("p", null, sentence(problem))) : null,
    trouble ? notice("warn", "Whether this key is accepted is not known", h("p", null, `${sentence(trouble)} Sign in again in a while.`)) : null,
    note ? notice("good", note) : null,
    h("form", { onsubmit: submit, novalidate: true },
      h("label", { for: "key" }, "API key or token"),
      h("input", { id: "key", name: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "key-hint", "aria-invalid": problem ? "true" : null }),
      h("p", { id: "key-hint", class: "hint" }, "It is kept in this tab only, until you sign out or close it, and is sent to this coordinator alone. The scope “submit” shows requests, “operate” runs and models."),
      h("button", { type: "submit", class: "button primary" }, "Sign in")),
    h("p", { class: "quiet" }, "No key yet? Whoever runs the coordinator makes one with ", h("code", null, "scissorhands key NAME --scope submit,operate --keys FILE"), ".")));
  document.getElementById("key").value = value;
  document.getElementById("key").focus();
  if (problem) announce("The key is not accepted.");
  if (trouble) announce("The coordinator does not say whether the key is accepted.");
}

async function submit(event) {
  event.preventDefault();
  const value = event.currentTarget.elements.key.value.trim();
  if (!value) return signIn({ problem: "Nothing was entered." });
  if (/[^\x21-\x7e]/.test(value)) return signIn({ problem: "It holds characters that no key has." });
  try {
    await call("v1/deletion-requests?limit=1", { as: value });
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    if (error.passes) return signIn({ trouble: error.message, value });
    // Known, though it may not see requests.
    if (error.status !== 403) return signIn({ problem: error.message });
  }
  key.set(value);
  show();
}

addEventListener("hashchange", show);
setInterval(refreshTimes, 1000);
document.querySelector(".skip").addEventListener("click", event => {
  // The address names the page that is shown, and must not change.
  event.preventDefault();
  main.focus();
});
show();

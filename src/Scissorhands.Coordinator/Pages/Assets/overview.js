// What is under way and what is due, at a glance.

import { h } from "./dom.js";
import { get, settle } from "./api.js";
import { between, count, plural, sentence, time } from "./text.js";
import { badge, card, empty, icon, modelLink, nameOf, progress, refusal, requestLink, runLink, short } from "./parts.js";
import { shares } from "./charts.js";
import { stageName } from "./stages.js";

const tones = { received: "quiet", accepted: "calm", scheduled: "active", running: "active2", verifying: "active3", onHold: "held", failed: "bad", completed: "good", rejected: "quiet2", cancelled: "quiet3" };
const openStates = ["received", "accepted", "scheduled", "running", "verifying", "failed"];

export async function overview(page) {
  await page.every(4000, async () => {
    const [summary, runs, models] = await Promise.all([settle(get("v1/deletion-requests/summary", page)), settle(get("v1/runs", page)), settle(get("v1/models", page))]);
    page.show("Overview",
      h("h1", { tabindex: "-1" }, "Overview"),
      tiles(summary.value, runs.value),
      h("div", { class: "columns" },
        card("Deletion requests", { id: "requests", aside: h("a", { href: "#/requests" }, "All requests") }, summary.error ? refusal(summary.error, "Deletion requests") : requestsPart(summary.value)),
        card("Runs", { id: "runs", aside: h("a", { href: "#/runs" }, "All runs") }, runs.error ? refusal(runs.error, "Runs") : runsPart(runs.value))),
      card("Models", { id: "models", aside: h("a", { href: "#/models" }, "All models") }, models.error ? refusal(models.error, "Models") : modelsPart(models.value)));
  });
}

function tiles(summary, runs) {
  const tile = (value, name, tone, shape, href) => h("li", { class: `tile tone-${tone}`, "data-key": name }, h("a", { href }, h("span", { class: "tile-value" }, tone === "plain" ? null : icon(shape), value), h("span", { class: "tile-name" }, name)));
  const open = summary ? openStates.reduce((sum, state) => sum + summary.states[state], 0) : 0;
  return h("ul", { class: "tiles" },
    summary ? [
      tile(count(open), "open requests", "plain", null, "#/requests?state=open"),
      tile(summary.oldestAt ? between(summary.oldestAt) : "–", "age of the oldest", "plain", null, "#/requests?state=open"),
      tile(count(summary.atRisk), "at risk", summary.atRisk ? "warn" : "plain", "warn", "#/requests?state=atRisk"),
      tile(count(summary.missed), "deadlines missed", summary.missed ? "bad" : "plain", "fail", "#/requests?state=missed"),
    ] : null,
    runs ? tile(count(runs.filter(run => run.status === "running").length), "runs at work", runs.some(run => run.status === "running") ? "active" : "plain", "work", "#/runs") : null);
}

function requestsPart(summary) {
  const all = Object.values(summary.states).reduce((a, b) => a + b, 0);
  if (all === 0) {
    return empty("No requests yet", "Hand one in over HTTP; it needs a registered model.", `curl ${location.origin}/v1/deletion-requests \\\n  -H 'Content-Type: application/json' \\\n  -d '{"requestId": "dsar-1", "model": "NAME", "ids": ["ID"]}'`);
  }
  return [
    shares("Requests by state", Object.entries(summary.states).filter(([, value]) => value > 0).map(([state, value]) => ({ name: nameOf(state), value, tone: tones[state], href: `#/requests?state=${state}` }))),
    h("h3", null, "Due first"),
    summary.due.length === 0 ? h("p", { class: "quiet" }, "Nothing is open.") : h("ul", { class: "list" }, summary.due.slice(0, 6).map(request => h("li", { "data-key": request.id },
      h("div", { class: "list-main" }, requestLink(request.id, request.requestId), h("span", { class: "quiet" }, plural(request.samples, "sample"), " · ", modelLink(request.model))),
      h("div", { class: "list-side" }, badge(request.state), h("span", { class: `due due-${request.deadlineStatus}` }, request.deadlineStatus === "onTime" ? null : icon(request.deadlineStatus === "missed" ? "fail" : "warn", nameOf(request.deadlineStatus)), "due ", time(request.deadline)))))),
  ];
}

function runsPart(runs) {
  if (runs.length === 0) {
    return empty("No runs yet", "They begin by themselves when requests have waited long enough, or by hand:", "scissorhands submit --model model.pt --data 'data/train-*.tar' \\\n  --forget forget.txt --out forgotten --watch");
  }
  const open = runs.filter(run => run.status === "running" || run.status === "queued");
  const shown = [...open, ...runs.filter(run => !open.includes(run))].slice(0, 6);
  return h("ul", { class: "list" }, shown.map(run => h("li", { "data-key": run.runId },
    h("div", { class: "list-main" }, runLink(run.runId, run.model ? [run.model, ", batch ", String(run.batch)] : null), h("span", { class: "quiet" }, run.model ? ["run ", short(run.runId), " · "] : null, run.status === "running" && run.stage ? stageName(run.stage) : run.endedAt ? [sentence(run.status), " ", time(run.endedAt)] : run.reason ?? "waits")),
    h("div", { class: "list-side" }, badge(run.status), run.startedAt ? h("span", { class: "quiet" }, between(run.startedAt, run.endedAt)) : null),
    run.status === "running" ? progress(run.progress ?? null, `Progress of ${run.stage ?? "the run"}`) : null)));
}

export function modelsPart(models) {
  if (models.length === 0) {
    return empty("No models yet", "Register one with the data that it was trained on.", "scissorhands models add NAME --model model.pt --data-set photos \\\n  --data 'data/train-*.tar' --test-data 'data/test-*.tar' --versions versions");
  }
  return h("ul", { class: "models" }, models.map(model => h("li", { "data-key": model.record.name },
    h("h3", null, modelLink(model.record.name)),
    h("p", { class: "version" }, h("span", { class: "version-number" }, `v${model.currentVersion}`), " in use"),
    h("p", { class: "quiet" }, plural(model.forgotten, "sample"), " forgotten · data set ", model.record.dataSet),
    model.record.retiredAt ? h("p", { class: "quiet" }, "Retired ", time(model.record.retiredAt)) : null,
    model.openBatch ? h("p", null, badge("running", `Batch ${model.openBatch} under way`)) : null)));
}

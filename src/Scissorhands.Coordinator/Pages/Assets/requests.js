// Deletion requests: all of them, and one of them with its way to the certificate.

import { announce, h } from "./dom.js";
import { get, settle } from "./api.js";
import { absolute, between, bounds, duration, percent, plural, sentence, time, words } from "./text.js";
import { badge, card, empty, facts, icon, modelLink, nameOf, notice, progress, refusal, requestLink, runLink, shell, table } from "./parts.js";
import { certificateOf } from "./certificate.js";
import { stageName } from "./stages.js";

const closed = ["completed", "rejected", "cancelled"];
const filters = [["", "All"], ["open", "Open"], ["atRisk", "At risk"], ["missed", "Missed"], ["failed", "Failed"], ["onHold", "On hold"], ["completed", "Completed"]];
const limit = 500;

function matches(request, filter) {
  if (!filter) return true;
  if (filter === "open") return !closed.includes(request.state) && request.state !== "onHold";
  if (filter === "atRisk" || filter === "missed") return request.deadlineStatus === filter && !closed.includes(request.state);
  return request.state === filter;
}

export async function requests(page) {
  const filter = page.query.get("state") ?? "";
  await page.every(4000, async () => {
    const { value, error } = await settle(get(`v1/deletion-requests?limit=${limit}`, page));
    const shown = value?.filter(request => matches(request, filter)) ?? [];
    page.show("Requests", h("h1", { tabindex: "-1" }, "Deletion requests"),
      error ? refusal(error, "Deletion requests") : [
        h("nav", { class: "filters", "aria-label": "Filter" }, h("ul", null, [...filters, ...(filters.some(([name]) => name === filter) ? [] : [[filter, sentence(nameOf(filter))]])].map(([name, text]) => h("li", null, h("a", { href: name ? `#/requests?state=${name}` : "#/requests", "aria-current": name === filter ? "true" : null }, text))))),
        h("p", { class: "quiet" }, value.length === limit ? `Among the newest ${limit}: ` : "", plural(shown.length, "request")),
        value.length === 0 ? empty("No requests yet", "Hand one in over HTTP; it needs a registered model.", `curl ${location.origin}/v1/deletion-requests \\\n  -H 'Content-Type: application/json' \\\n  -d '{"requestId": "dsar-1", "model": "NAME", "ids": ["ID"]}'`)
          : shown.length === 0 ? h("p", null, "None of them is in this state. ", h("a", { href: "#/requests" }, "Show all"))
            : table("Deletion requests", [{ name: "Request" }, { name: "State" }, { name: "Model" }, { name: "Samples", class: "number" }, { name: "Stored" }, { name: "Deadline" }], shown.map(request => ({
              key: request.id,
              cells: [requestLink(request.id, request.requestId), badge(request.state), modelLink(request.model), String(request.samples), time(request.storedAt), due(request)],
            }))),
      ]);
  });
}

const due = request => h("span", { class: `due due-${request.deadlineStatus}` }, request.deadlineStatus === "onTime" ? null : icon(request.deadlineStatus === "missed" ? "fail" : "warn", nameOf(request.deadlineStatus)), time(request.deadline));

const way = [
  ["received", "Received", "Stored and resolved. Its samples are being copied: their rows must stay in the data."],
  ["accepted", "Accepted", "Its samples are in quarantine, so their rows may be erased. It waits for a run."],
  ["scheduled", "Scheduled", "It is part of a batch whose run is about to begin."],
  ["running", "Running", "A run makes the model forget."],
  ["verifying", "Verifying", "The result is judged, published and certified; copies are destroyed."],
  ["completed", "Completed", "The version in use does not know the samples, and there is a certificate."],
];

const asides = {
  rejected: "Nothing of it can be forgotten.",
  onHold: "It is under legal hold: its samples are evidence, and are kept until the hold is lifted.",
  failed: "Its run could not be published. The version before is still in use, and the request stays open.",
  cancelled: "It was withdrawn before its run began.",
};

export async function request(page, id) {
  const path = `v1/deletion-requests/${encodeURIComponent(id)}`;
  const shown = { view: null, batch: null, run: null, certificate: null };
  page.redraw = () => shown.view && draw(page, shown);
  await page.every(1500, async () => {
    const before = shown.view?.state;
    shown.view = await get(path, page);
    if (before && before !== shown.view.state) announce(`The request is ${nameOf(shown.view.state)}.`);
    if (shown.view.batch) {
      const found = await settle(get(`v1/models/${encodeURIComponent(shown.view.model)}/batches/${shown.view.batch}`, page));
      shown.batch = found.value ?? null;
    }
    // The run that is under way, or the one that failed: it knows why.
    const attempt = shown.batch?.attempts.at(-1);
    const run = shown.view.run ?? (shown.view.state === "failed" && attempt?.failure ? attempt.runId : null);
    shown.run = run ? (await settle(get(`v1/runs/${encodeURIComponent(run)}`, page))).value ?? null : null;
    if (shown.view.state === "completed" && !shown.certificate) shown.certificate = (await settle(get(`${path}/certificate`, page))).value ?? null;
    page.redraw();
  });
}

function draw(page, { view, batch, run, certificate }) {
  page.show(`Request ${view.id.slice(0, 8)}`,
    h("p", { class: "path" }, h("a", { href: "#/requests" }, "Requests"), " / ", h("span", { class: "id" }, view.id)),
    h("div", { class: "title" }, h("h1", { tabindex: "-1" }, view.requestId), badge(view.state), view.deadlineStatus === "onTime" ? null : badge(view.deadlineStatus)),
    situation(view, batch, run),
    h("div", { class: "columns", "data-key": "state" },
      card("Progress", { id: "way" }, steps(view, run, batch)),
      h("div", { class: "stack" },
        card("Deadline", { id: "deadline" }, deadline(view)),
        card("Details", { id: "details" }, facts([
          ["Model", modelLink(view.model)],
          ["Samples", String(view.samples)],
          ["Batch", view.batch ? String(view.batch) : "none yet"],
          ["Asked", time(view.receivedAt)],
          ["Stored", time(view.storedAt)],
          ["Accepted", view.acceptedAt ? time(view.acceptedAt) : "not yet: its rows must stay in the data"],
          ["Ended", view.endedAt ? time(view.endedAt) : null],
          ["Took", view.endedAt ? between(view.storedAt, view.endedAt) : null],
          ["Tried again", view.retryAt ? time(view.retryAt) : null],
        ])))),
    batch ? card("Attempts", { id: "attempts" }, attempts(batch)) : view.batch && !batch ? card("Attempts", { id: "attempts" }, h("p", { class: "quiet" }, `It was carried out in batch ${view.batch}. Runs and verdicts need the scope “operate”.`)) : null,
    certificate ? certificateOf(certificate, `v1/deletion-requests/${encodeURIComponent(view.id)}/certificate`) : null);
}

function situation(view, batch, run) {
  const reason = view.reason ?? batch?.reason;
  if (view.state === "failed") {
    return notice("bad", "This request failed and is still open", h("p", { class: "why" }, sentence(reason ?? "The reason is not known.")),
      run?.reason && run.reason !== reason ? h("p", { class: "why" }, sentence(run.reason)) : null,
      h("p", null, h("b", null, "What to do: "), view.retryAt ? ["remove the cause. It is tried again ", time(view.retryAt), ", or at once with:"] : "it is not tried again by itself, as the same would come to the same. Remove the cause (the data, the configuration or the policy's bounds), then:"),
      shell(`scissorhands requests retry ${view.id}`));
  }
  if (view.state === "onHold") return notice("held", "On legal hold", h("p", null, asides.onHold), shell(`scissorhands hold --release ${view.id}`));
  if (view.state === "rejected" || view.state === "cancelled") return notice("info", sentence(view.state), h("p", null, sentence(reason ?? asides[view.state])));
  if (reason && view.state !== "completed") return notice(view.retryAt ? "warn" : "info", view.retryAt ? "Something is in the way; it is tried again" : "It waits", h("p", null, sentence(reason)));
  return null;
}

function steps(view, run, batch) {
  const aside = asides[view.state];
  const at = way.findIndex(([state]) => state === view.state);
  const reached = at >= 0 ? at : view.state === "failed" && view.batch ? (batch?.attempts.at(-1)?.verdict ? 4 : 3) : view.state === "onHold" ? 1 : 0;
  return h("ol", { class: "stages way" }, way.map(([state, title, hint], i) => {
    const last = state === "completed" && view.state === "completed";
    const mark = last || i < reached ? "done" : i === reached ? (view.state === "failed" ? "fail" : view.state === "onHold" ? "hold" : aside ? "stop" : ["running", "verifying", "received"].includes(state) ? "work" : "wait") : "open";
    return h("li", { class: `stage stage-${mark}`, "data-key": state, "aria-current": i === reached ? "step" : null },
      h("span", { class: "stage-mark" }, mark === "open" ? null : icon(mark, { done: "Done", fail: "Failed here", hold: "On hold", stop: "Ended here", work: "At work", wait: "Waits" }[mark])),
      h("div", { class: "stage-text" }, h("span", { class: "stage-name" }, title), h("span", { class: "stage-hint" }, i === reached && aside ? aside : hint),
        state === "running" && view.state === "running" && view.run ? h("div", { class: "stage-progress" }, run?.stage ? [progress(share(run), `Progress of ${stageName(run.stage)}`), h("span", { class: "quiet" }, `${stageName(run.stage)} `)] : null, runLink(view.run, "Watch the run")) : null));
  }));
}

function share(run) {
  const all = run.progress.filter(rank => rank.stage === run.stage && rank.total > 0).map(rank => rank.done / rank.total);
  return all.length ? Math.min(...all) : null;
}

function deadline(view) {
  // It counts from when the person asked.
  const [from, to] = [Date.parse(view.receivedAt), Date.parse(view.deadline)];
  const now = view.endedAt ? Date.parse(view.endedAt) : Date.now();
  const used = Math.max(0, Math.min(1, (now - from) / (to - from || 1)));
  return h("div", { class: `deadline due-${view.deadlineStatus}` },
    progress(used, "Time used until the deadline"),
    h("p", null, icon({ onTime: "done", atRisk: "warn", missed: "fail" }[view.deadlineStatus]), " ",
      view.state === "completed" ? `Completed ${now <= to ? `${duration((to - now) / 1000)} before` : `${duration((now - to) / 1000)} after`} its deadline`
        : view.deadlineStatus === "missed" ? ["The deadline passed ", time(view.deadline)]
          : closed.includes(view.state) ? "It ended before its deadline"
            : ["Due ", time(view.deadline), view.deadlineStatus === "atRisk" ? ": less time is left than the policy wants" : ""], h("span", { class: "quiet" }, ` (${absolute(to)})`)));
}

function attempts(batch) {
  return h("ol", { class: "attempts" }, batch.attempts.map(attempt => h("li", { "data-key": String(attempt.number) },
    h("div", { class: "attempt-head" }, h("h3", null, `Attempt ${attempt.number + 1}`), h("span", { class: "quiet" }, `preset “${attempt.preset}”`), attempt.failure ? badge("failed") : attempt.verdict ? badge(attempt.verdict.decision === "publish" ? "pass" : "fail", attempt.verdict.decision === "publish" ? "Gate passed" : `Gate wants a ${attempt.verdict.decision} preset`) : badge("running", batch.phase === "preparing" ? "Being prepared" : "Run under way")),
    attempt.runId ? h("p", null, runLink(attempt.runId)) : null,
    attempt.failure ? h("p", { class: "why" }, sentence(attempt.failure)) : null,
    attempt.verdict ? [checks(attempt.verdict.checks), attempt.verdict.notes.length ? h("ul", { class: "notes" }, attempt.verdict.notes.map(note => h("li", null, sentence(note)))) : null] : null)));
}

const checkNames = { forgetAccuracy: "Forgotten samples answered right", earlierAccuracy: "Earlier forgotten samples answered right", retainAccuracy: "Kept samples answered right", testAccuracy: "Test samples answered right", mia: "Forgotten samples taken for never seen" };

const checks = list => h("ul", { class: "checks" }, list.map(check => h("li", { "data-key": check.name },
  h("span", { class: "check-name" }, checkNames[check.name] ?? words(check.name)), h("span", { class: "check-value" }, percent(check.value / 100)),
  h("span", { class: "quiet" }, bounds(check.min, check.max)), badge(check.outcome))));

// One run: where it is, what it measures, and what came of it.

import { announce, h } from "./dom.js";
import { follow, get, pause, settle } from "./api.js";
import { between, count, duration, percent, plural, sentence, time } from "./text.js";
import { badge, card, downloadButton, facts, icon, modelLink, notice, progress, requestLink, shell } from "./parts.js";
import { bars, lines, moves, stacked } from "./charts.js";
import { stageName, stages } from "./stages.js";
import { certificateOf } from "./certificate.js";

const ended = status => status === "completed" || status === "failed" || status === "cancelled";

export async function run(page, id) {
  const path = `v1/runs/${encodeURIComponent(id)}`;
  const [view, figures] = await page.insist(() => Promise.all([get(path, page), get(`${path}/figures`, page)]));
  const state = { view, events: [], figures, batch: null, certificate: null };
  page.redraw = () => draw(page, id, state);
  let asked = Date.now();
  const refresh = async () => {
    asked = Date.now();
    state.figures = await get(`${path}/figures`, page);
    await origin(page, state);
    page.redraw();
  };
  page.redraw();
  origin(page, state).then(() => page.redraw(), () => {});
  let over = false;
  while (!over && !page.signal.aborted) {
    await follow(`${path}/events`, (kind, value) => {
      if (kind === "event") {
        state.events.push(value);
        if (["stage-done", "completed", "failed"].includes(value.name)) refresh().catch(() => {});
      } else if (value) {
        tell(state.view, value);
        state.view = value;
        addSteps(state.figures, value);
        over = ended(value.status);
        if (value.stage === "repair" && Date.now() - asked > 3000) refresh().catch(() => {});
      }
      schedule(page);
      return over;
    }, error => page.health(error), page.signal);
  }
  await page.insist(refresh);

  // The requests are certified after their run: the page goes on to look until that is so.
  for (let i = 0; state.figures.model && state.view.status === "completed" && !state.certificate && i < 100 && !page.signal.aborted; i++) {
    if (!state.batch || state.batch.phase === "failed") break;
    await pause(2000, page.signal);
    if (!page.signal.aborted) await page.insist(refresh);
  }
}

// Many events may come at once; one drawing is enough for them.
function schedule(page) {
  if (page.drawing) return;
  page.drawing = requestAnimationFrame(() => {
    page.drawing = 0;
    if (!page.signal.aborted) page.redraw();
  });
}

function tell(before, now) {
  if (now.status !== before.status && ended(now.status)) announce(`The run is ${now.status}.`);
  else if (now.stage !== before.stage && now.stage) announce(`Stage: ${stageName(now.stage)}.`);
}

function addSteps(figures, view) {
  const known = figures.steps.at(-1)?.step ?? -1;
  for (const rank of view.progress) {
    for (const step of rank.figures ?? []) {
      if (step.step > known) figures.steps.push(step);
    }
  }
}

async function origin(page, state) {
  const { model, batch } = state.figures;
  if (!model) return;
  const found = await settle(get(`v1/models/${encodeURIComponent(model)}/batches/${batch}`, page));
  state.batch = found.value ?? null;
  if (state.batch?.phase === "completed" && !state.certificate) {
    const answer = await settle(get(`v1/deletion-requests/${encodeURIComponent(state.batch.requests[0])}/certificate`, page));
    state.certificate = answer.value ? { envelope: answer.value, request: state.batch.requests[0] } : null;
  }
}

function draw(page, id, state) {
  const { view, figures } = state;
  const wide = page.width >= 900;
  const chart = (wide ? (page.width - 24) / 2 : page.width) - (page.width < 560 ? 34 : 50);
  const stagesCard = card("Stages", { id: "stages" }, timeline(state));
  const known = figures.before ? card("What the model knows", { id: "outcome" }, outcome(figures, page.width - (page.width < 560 ? 34 : 50))) : null;
  const curves = figures.steps.length > 0 ? h("div", { class: "columns", "data-key": "curves" },
    card("Loss", { id: "loss" }, lossChart(figures.steps, chart)),
    card("Accuracy", { id: "accuracy" }, accuracyChart(figures.steps, chart))) : null;
  const parts = figures.ranks.length > 0 || figures.trim ? h("div", { class: "columns", "data-key": "parts" },
    figures.trim ? card("Trimmed weights", { id: "trim" }, trimChart(figures)) : null,
    figures.ranks.length > 0 ? card("Workers", { id: "ranks" }, rankChart(figures.ranks)) : null) : null;
  page.show(`Run ${id.slice(0, 8)}`,
    h("p", { class: "path" }, h("a", { href: "#/runs" }, "Runs"), " / ", h("span", { class: "id" }, id)),
    h("div", { class: "title" }, h("h1", { tabindex: "-1" }, figures.model ? `${figures.model}, batch ${figures.batch}` : `Run ${id.slice(0, 8)}`), badge(view.status)),
    situation(id, state),
    facts([
      figures.model ? ["Model", modelLink(figures.model)] : null,
      ["To forget", figures.forget === null || figures.forget === undefined ? "–" : plural(figures.forget, "sample")],
      ["Kept", figures.retain === null || figures.retain === undefined ? "–" : plural(figures.retain, "sample")],
      ["Submitted", time(view.submittedAt)],
      ["Took", view.startedAt ? between(view.startedAt, view.endedAt) : "–"],
      ["Due", view.deadline ? time(view.deadline) : null],
      ["Workers", view.members.length ? `${view.members.length} (generation ${view.generation})` : figures.ranks.length ? `${figures.ranks.length}` : "–"],
      ["Pool", view.pool],
    ]),
    // While it works the way is what matters, and afterwards the outcome.
    view.status === "completed" ? [known, report(id, state), curves, parts, stagesCard] : [stagesCard, curves, known, parts],
    state.batch ? card("Requests it carries out", { id: "carries" }, h("p", null, plural(state.batch.requests.length, "request"), ", ", plural(state.batch.samples, "different sample"), "."), h("ul", { class: "links" }, state.batch.requests.slice(0, 20).map(one => h("li", { "data-key": one }, requestLink(one))))) : null,
    state.certificate ? certificateOf(state.certificate.envelope, `v1/deletion-requests/${encodeURIComponent(state.certificate.request)}/certificate`) : null,
    eventList(state));
}

function situation(id, { view, events, batch }) {
  if (view.status === "failed") {
    const checkpoint = events.findLast(event => event.name === "checkpoint")?.fields;
    return notice("bad", `The run failed${view.stage && view.stage !== "done" ? ` at “${stageName(view.stage)}”` : ""}`,
      h("p", { class: "why" }, sentence(view.reason ?? "The reason is not known.")),
      h("p", null, h("b", null, "What to do: "), view.badInput
        ? "what was submitted is at fault, so the same again would fail again. Correct what the reason names and submit it anew."
        : batch ? "correct what the reason names. Its requests are still open, are tried again by themselves, and can be tried at once:"
        : `correct what the reason names, then submit the same again: it goes on ${checkpoint ? `from the checkpoint at ${checkpoint.stage}, ${checkpoint.progress}` : "from what is durable"}.`),
      batch && !view.badInput ? shell(`scissorhands requests retry ${batch.requests[0]}`) : null);
  }
  if (view.status === "cancelled") return notice("info", `The run was cancelled ${view.reason ?? ""}`.trim(), h("p", null, "The same submission again takes it up from its last checkpoint."));
  if (view.waits) return notice("info", "The run waits", h("p", null, sentence(view.waits)));
  if (view.status === "running" && view.reason && view.members.length === 0) return notice("warn", "Its workers are gone; others take over", h("p", null, sentence(view.reason)));
  return null;
}

function timeline({ view, events, figures }) {
  const done = new Map(figures.stages.map(stage => [stage.stage, stage.seconds]));
  const finished = new Set(events.filter(event => event.name === "stage-done").map(event => event.fields?.stage));
  const current = view.status === "completed" ? null : view.stage;
  const at = stages.findIndex(([name]) => name === current);
  const longest = Math.max(...done.values(), 1e-9);
  return h("ol", { class: "stages" }, stages.map(([name, title, hint], i) => {
    const over = view.status === "completed" || finished.has(name) || (at >= 0 && i < at);
    const active = !over && i === at;
    const failed = active && view.status === "failed";
    const share = stageShare(view, name);
    const state = over ? "done" : failed ? "fail" : active && view.status === "running" ? "work" : active ? "wait" : "open";
    return h("li", { class: `stage stage-${state}`, "data-key": name, "aria-current": active ? "step" : null },
      h("span", { class: "stage-mark" }, state === "open" ? null : icon(state, { done: "Done", fail: "Failed here", work: "At work", wait: "Waits" }[state])),
      h("div", { class: "stage-text" }, h("span", { class: "stage-name" }, title), over ? null : h("span", { class: "stage-hint" }, hint),
        active && !failed && view.status === "running" ? h("div", { class: "stage-progress" }, progress(share, `Progress of ${title}`), ranksLine(view, name)) : null),
      h("span", { class: "stage-time" }, over && done.has(name) ? duration(done.get(name)) : ""),
      over && done.has(name) ? h("span", { class: "stage-bar" }, progress(done.get(name) / longest, `${title}: share of the longest stage`)) : h("span", { class: "stage-bar" }));
  }));
}

function ranksLine(view, stage) {
  const ranks = view.progress.filter(rank => rank.stage === stage);
  if (ranks.length === 0) return h("span", { class: "quiet" }, "Begins");
  const slowest = ranks.reduce((a, b) => a.done / (a.total || 1) <= b.done / (b.total || 1) ? a : b);
  const loss = ranks.find(rank => rank.loss !== null && rank.loss !== undefined)?.loss;
  return h("span", { class: "quiet" }, `${count(slowest.done)} of ${count(slowest.total)} ${slowest.unit}${loss === undefined ? "" : `, loss ${loss.toFixed(3)}`}`);
}

function stageShare(view, stage) {
  const ranks = view.progress.filter(rank => rank.stage === stage && rank.total > 0).map(rank => [rank.done / rank.total, rank.unit]);
  if (ranks.length === 0) return null;
  const all = ranks.map(([share]) => share);
  return ranks[0][1] === "steps" ? Math.min(...all) : Math.max(...all);
}

function outcome(figures, width) {
  const { before, afterTrim: trim, afterRepair: after } = figures;
  const of = name => [before?.[name] ?? null, trim?.[name] ?? null, after?.[name] ?? null];
  return [
    figures.trim && figures.parameters ? h("p", { class: "lead" }, `${count(figures.trim.trimmed)} of ${count(figures.parameters)} weights (${percent(figures.trim.trimmed / figures.parameters)}) were given fresh values.`) : null,
    moves({
      caption: "Before, after trimming, after repair", width: Math.min(width, 1000),
      marks: [{ name: "as it came", shape: "before" }, { name: "trimmed", shape: "trim" }, { name: "repaired", shape: "after" }],
      rows: [
        { name: "Forgotten samples answered right", hint: "Good: about as many as of test data. Far fewer would give away what was forgotten.", values: of("forgetAccuracy") },
        { name: "Kept samples answered right", hint: "Good: as many as before.", values: of("retainAccuracy") },
        before.testAccuracy === null || before.testAccuracy === undefined ? null : { name: "Test samples answered right", hint: "Good: as many as before. The model never saw them.", values: of("testAccuracy") },
        before.earlierAccuracy === null || before.earlierAccuracy === undefined ? null : { name: "Samples forgotten by earlier runs, answered right", hint: "Good: still about as many as of test data.", values: of("earlierAccuracy") },
        (after ?? before).nonMemberShare === null || (after ?? before).nonMemberShare === undefined ? null : { name: "Forgotten samples taken for never seen", hint: "By a membership attack that looks at confidence. Good: as many as with a model that never saw them.", values: of("nonMemberShare") },
      ].filter(Boolean),
    }),
  ];
}

// Where a step has no such figure, as one without a forget batch, the curve has a gap.
const curve = (steps, field) => steps.map(step => [step.step + 1, step[field] ?? null]);

const lossChart = (steps, width) => lines({
  caption: "Loss by repair step", width, xName: "step", yName: "nats", xMax: steps.at(-1).step + 1, format: value => value.toFixed(2),
  series: [{ name: "samples that stay", tone: "curve-1", points: curve(steps, "retainLoss") }, { name: "samples to forget", tone: "curve-2", points: curve(steps, "forgetLoss") }],
});

const accuracyChart = (steps, width) => lines({
  caption: "Accuracy by repair step", width, xName: "step", yName: "of each batch", xMax: steps.at(-1).step + 1, yMin: 0, yMax: 1, format: value => `${Math.round(100 * value)} %`,
  series: [{ name: "samples that stay", tone: "curve-1", points: curve(steps, "retainAccuracy") }, { name: "samples to forget", tone: "curve-2", points: curve(steps, "forgetAccuracy") }],
});

function rankChart(ranks) {
  const compute = ranks.map(rank => rank.mean.compute).sort((a, b) => a - b);
  const median = compute[Math.floor((compute.length - 1) / 2)];
  const slowest = ranks.reduce((a, b) => a.mean.compute >= b.mean.compute ? a : b);
  const skew = median > 0 ? slowest.mean.compute / median : 1;
  return [
    stacked({
      caption: "Time of a repair step by worker", unit: "mean", parts: [{ name: "compute", tone: "tone-1" }, { name: "wait for others", tone: "tone-2" }, { name: "exchange", tone: "tone-3" }, { name: "update", tone: "tone-4" }],
      rows: ranks.map(rank => ({ name: rank.workerId, values: [rank.mean.compute, rank.mean.wait, rank.mean.wire, rank.mean.update] })), format: duration,
    }),
    ranks.length > 1 && skew > 1.3 ? h("p", null, icon("warn"), ` ${slowest.workerId} computes ${skew.toFixed(1)} times as long as the median: the others wait for it.`) : null,
  ];
}

function trimChart(figures) {
  const layers = new Map();
  for (const row of figures.trim.rows) {
    const layer = row.name.replace(/\.[^.]+$/, "");
    const sum = layers.get(layer) ?? { elements: 0, trimmed: 0 };
    sum.elements += row.elements;
    sum.trimmed += row.trimmed;
    layers.set(layer, sum);
  }
  return bars({
    caption: "Share of each layer that was trimmed", unit: "in the model's order", limit: 12,
    rows: [...layers].map(([name, sum]) => ({ name, value: sum.elements ? sum.trimmed / sum.elements : 0, note: `${count(sum.trimmed)} of ${count(sum.elements)}` })),
  });
}

function report(id, { view, figures, batch }) {
  const path = `v1/runs/${encodeURIComponent(id)}`;
  const failed = batch?.phase === "failed" || (batch && batch.attempts.find(attempt => attempt.runId === id)?.verdict && batch.attempts.at(-1).runId !== id);
  return card("Report", { id: "report" },
    failed ? h("p", null, "The gate did not let this result be published, so its files are destroyed; the figures above stay.") : [
      h("p", null, `All figures, charts, notes and digests in one file, for the person who has to answer for it${figures.forget ? `: ${plural(figures.forget, "sample")} forgotten, ${between(view.startedAt, view.endedAt)}` : ""}.`),
      h("div", { class: "buttons" }, downloadButton("Report (HTML)", `${path}/report.html`, `${id}-report.html`), downloadButton("Report (JSON)", `${path}/report`, `${id}-report.json`)),
    ],
    Object.keys(view.files).length > 0 ? h("details", { class: "numbers", "data-key": "files" }, h("summary", null, "Files and their SHA-256"), facts(Object.entries(view.files).map(([name, hash]) => [name, h("code", { class: "hash" }, hash)]))) : null);
}

const eventWords = {
  submitted: () => "Submitted",
  generation: fields => `Generation ${fields.generation} begins with ${plural(fields.workers, "worker")}`,
  planned: fields => `Inputs accepted: ${plural(fields.forget, "sample")} to forget, ${count(fields.retain)} to keep, ${count(fields.parameters)} weights`,
  "stage-done": fields => `${stageName(fields.stage)}: done`,
  checkpoint: fields => `Checkpoint: ${fields.stage}, ${fields.progress} ${fields.stage === "repair" ? "steps" : "blocks"}`,
  retry: fields => `Attempt ${fields.attempt} at ${fields.stage} failed on worker ${fields.rank}: ${fields.reason}`,
  "generation-over": fields => `Generation ${fields.generation} is over: ${fields.reason}`,
  completed: () => "Completed",
  failed: fields => `Failed: ${fields.reason}`,
  cancelled: fields => `Cancelled: ${fields.reason}`,
  reopened: () => "Taken up again",
};

const eventTones = { failed: "fail", retry: "warn", "generation-over": "warn", completed: "done", "stage-done": "done", cancelled: "stop" };

// Newest first; checkpoints that follow each other are one line, as only the last of them counts.
function eventList({ events }) {
  const shown = [];
  for (const [i, event] of [...events.entries()].reverse()) {
    const later = shown.at(-1);
    if (event.name === "checkpoint" && later?.event.name === "checkpoint" && later.event.fields.stage === event.fields.stage) later.before++;
    else shown.push({ key: String(i), event, before: 0 });
  }
  return card("Events", { id: "events" }, shown.length === 0 ? h("p", { class: "quiet" }, "Nothing has happened yet.") : h("ol", { class: "events" }, shown.slice(0, 200).map(({ key, event, before }) => h("li", { "data-key": key },
    icon(eventTones[event.name] ?? "info"), h("span", { class: "event-text" }, (eventWords[event.name] ?? (() => event.name))(event.fields ?? {}), before ? h("span", { class: "quiet" }, `, ${before} before it`) : null), time(event.time)))));
}

// Models that requests may name, and one of them with its versions.

import { h } from "./dom.js";
import { get, settle } from "./api.js";
import { percent, plural, time } from "./text.js";
import { badge, card, facts, notice, refusal, runLink } from "./parts.js";
import { modelsPart } from "./overview.js";

export async function models(page) {
  await page.every(5000, async () => {
    const { value, error } = await settle(get("v1/models", page));
    page.show("Models", h("h1", { tabindex: "-1" }, "Models"), error ? refusal(error, "Models") : modelsPart(value));
  });
}

export async function model(page, name) {
  await page.every(5000, async () => {
    const { value, error } = await settle(get(`v1/models/${encodeURIComponent(name)}`, page));
    if (error?.status === 404) throw error;
    page.show(`Model ${name}`,
      h("p", { class: "path" }, h("a", { href: "#/models" }, "Models"), " / ", name),
      h("h1", { tabindex: "-1" }, name),
      error ? refusal(error, "Models") : content(value));
  });
}

function content({ model, versions }) {
  const record = model.record;
  const current = versions.find(version => version.number === model.currentVersion);
  return [
    record.retiredAt ? notice("info", "Retired", h("p", null, "It takes no more requests since ", time(record.retiredAt), ". Registered again, it takes them again.")) : null,
    current?.retrain ? notice("warn", "Training anew is recommended", h("p", null, current.retrain)) : null,
    facts([
      ["In use", `version ${model.currentVersion}`],
      ["Forgotten", plural(model.forgotten, "sample")],
      ["Data set", record.dataSet],
      ["Pool", `${record.pool}, up to ${plural(record.workers, "worker")}`],
      ["A request waits at most", record.policy.maxWait],
      ["Under way", model.openBatch ? `batch ${model.openBatch}` : "nothing"],
    ]),
    card("Versions", { id: "versions" }, h("ol", { class: "versions" }, [...versions].reverse().map(version => h("li", { "data-key": String(version.number), "aria-current": version.number === model.currentVersion ? "true" : null },
      h("span", { class: "version-number" }, `v${version.number}`),
      h("div", null,
        h("p", null, badge(version.state, { current: "In use", superseded: "Replaced", destroyed: "Replaced, weights destroyed", rolledBack: "Taken back" }[version.state]), " ", h("span", { class: "quiet" }, "published ", time(version.publishedAt))),
        h("p", null, version.batch ? [`Without the samples of batch ${version.batch}`, version.runId ? [" · ", runLink(version.runId)] : null] : "The file that was registered"),
        version.drift ? h("p", { class: "quiet" }, `${plural(version.drift.runs, "run")} since it was registered, ${percent(version.drift.forgottenShare / 100, 2)} of the training data forgotten`) : null,
        h("details", { class: "numbers", "data-key": "digest" }, h("summary", null, "Digest"), h("p", null, "SHA-256 of the file: ", h("code", { class: "hash" }, version.sha256)))))))),
  ];
}

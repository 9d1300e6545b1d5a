// All runs.

import { h } from "./dom.js";
import { get, settle } from "./api.js";
import { between, time } from "./text.js";
import { badge, empty, modelLink, progress, refusal, runLink, short, table } from "./parts.js";
import { stageName } from "./stages.js";

export async function runs(page) {
  await page.every(4000, async () => {
    const { value, error } = await settle(get("v1/runs", page));
    page.show("Runs", h("h1", { tabindex: "-1" }, "Runs"), h("p", { class: "lead" }, "A run makes a model forget a list of samples. The newest 200 are listed."),
      error ? refusal(error, "Runs") : value.length === 0 ? empty("No runs yet", "They begin by themselves when requests have waited long enough, or by hand:", "scissorhands submit --model model.pt --data 'data/train-*.tar' \\\n  --forget forget.txt --out forgotten --watch")
        : table("Runs", [{ name: "Run" }, { name: "State" }, { name: "For" }, { name: "Stage", class: "wide" }, { name: "Started" }, { name: "Took", class: "number" }], value.map(run => ({
          key: run.runId,
          cells: [
            runLink(run.runId, short(run.runId)),
            badge(run.status),
            run.model ? [modelLink(run.model), `, batch ${run.batch}`] : "by hand",
            run.status === "running" ? [h("span", null, run.stage ? stageName(run.stage) : "Loads its inputs"), progress(run.progress ?? null, `Progress of ${run.stage ?? "the run"}`)] : run.status === "completed" ? "–" : h("span", { class: "reason" }, run.reason ?? "–"),
            time(run.startedAt ?? null),
            between(run.startedAt, run.endedAt),
          ],
        }))));
  });
}

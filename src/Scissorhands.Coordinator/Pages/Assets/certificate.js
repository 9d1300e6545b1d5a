// A certificate as people read it. The page shows what it says; it does not check the signature, and says so.

import { h } from "./dom.js";
import { absolute, bounds, count, percent, sentence, words } from "./text.js";
import { badge, card, downloadButton, facts, notice, shell } from "./parts.js";

function statementOf(envelope) {
  const bytes = Uint8Array.from(atob(envelope.payload), character => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

export function certificateOf(envelope, path) {
  const statement = statementOf(envelope);
  const said = statement.predicate;
  const after = said.evaluation.after;
  return card("Certificate", { id: "certificate", aside: badge(said.evaluation.verdict) },
    h("p", { class: "lead" }, `${count(said.forgotten.count)} ${said.forgotten.count === 1 ? "sample was" : "samples were"} forgotten; ${count(said.data.retained)} stay. Published ${absolute(Date.parse(said.times.published))}.`),
    h("div", { class: "buttons" }, downloadButton("Certificate (DSSE)", path, "certificate.dsse.json")),
    facts([
      ["Forgotten, answered wrong", percent(after.ua / 100)],
      ["Kept, answered right", percent(after.ra / 100)],
      after.ta === undefined ? null : ["Test, answered right", percent(after.ta / 100)],
      after.mia === undefined ? null : ["Taken for never seen", percent(after.mia / 100)],
    ]),
    said.evaluation.bounds.length ? [h("h3", null, "Bounds that were set"), h("ul", { class: "checks" }, said.evaluation.bounds.map(bound => h("li", { "data-key": bound.metric }, h("span", { class: "check-name" }, sentence(words(bound.metric))), h("span", { class: "check-value" }, percent(bound.value / 100)), h("span", { class: "quiet" }, bounds(bound.minimum, bound.maximum)), badge(bound.verdict))))] : null,
    h("h3", null, "What it does not prove"),
    h("ul", { class: "limits" }, said.doesNotProve.map(limit => h("li", null, limit))),
    h("h3", null, "What became of copies"),
    h("ul", { class: "custody" }, said.custody.map(item => h("li", null, badge(item.state), h("span", null, sentence(item.item), item.note ? h("span", { class: "quiet" }, ` ${item.note}`) : null)))),
    said.signer.ephemeral ? notice("warn", "Signed with a key made for one process", h("p", null, "It proves nothing about the signer. Give the coordinator a key with ", h("code", null, "--sign-key FILE"), ".")) : null,
    h("details", { class: "numbers", "data-key": "certificate-check" }, h("summary", null, "Check it, and its digests"),
      h("p", null, "This page shows what the certificate says and does not check its signature. With a key that you got from somewhere you trust:"),
      shell("scissorhands verify certificate.dsse.json --key PUBLIC.pem"),
      facts([["Key id", h("code", { class: "hash" }, envelope.signatures[0]?.keyid ?? "–")], ["Commitment to the ids", h("code", { class: "hash" }, said.forgotten.merkleRoot)], ...statement.subject.map(subject => [subject.name, h("code", { class: "hash" }, subject.digest.sha256)])])));
}

// Sends deletion requests as a pipeline in JavaScript does: events and their bytes are made by the CloudEvents SDK, in both modes.
// Arguments: address of the intake, a model, an id of its data. Prints {answers, dead, refusal} as JSON.
"use strict";

const amqp = require("amqplib");
const { CloudEvent, HTTP } = require("cloudevents");

const EXCHANGE = "scissorhands.deletion-requests";
const DEAD = "scissorhands.deletion-requests.dead";
const TYPE = "dev.scissorhands.deletion-request";
const DEADLINE_MS = 90_000;

const [address, model, id] = process.argv.slice(2);
const user = decodeURIComponent(new URL(address).username);

/** The SDK's structured message: attributes and data in one body. */
function structured(event) {
  const { headers, body } = HTTP.structured(event);
  return { body, properties: { contentType: headers["content-type"] } };
}

/** The SDK's binary message, with the attributes' headers named as in the AMQP binding: `ce-type` becomes `cloudEvents:type` or `cloudEvents_type`. */
function binary(event, prefix) {
  const { "content-type": contentType, ...attributes } = HTTP.binary(event).headers;
  const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name.replace(/^ce-/, prefix), value]));
  return { body: HTTP.binary(event).body, properties: { contentType, headers } };
}

function messages() {
  const one = new CloudEvent({ type: TYPE, source: "/pipelines/dsar", id: "7", data: { model, ids: [id] } });
  const bytes = one.cloneWith({ datacontenttype: "application/json", data: Buffer.from(JSON.stringify(one.data)) });
  const full = new CloudEvent({
    type: TYPE,
    source: "urn:example:pipelines?region=eu#dsar",
    id: "c2b0a8e4-8d0c-4c5e-9c1a-3f6d0e2f7a11",
    subject: "Löschung №1",
    dataschema: "https://example.org/schemas/deletion-request.json",
    datacontenttype: "application/json; charset=utf-8",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    attempt: 3,
    urgent: true,
    data: { requestId: "grüße-😀", model, ids: [id, "niemand-ß-😀"], legalHold: true },
  });

  return {
    structured: structured(one),
    base64: structured(bytes),
    colon: binary(one, "cloudEvents:"),
    underscore: binary(one, "cloudEvents_"),
    bytes: binary(bytes, "cloudEvents_"),
    fullStructured: structured(full),
    fullBinary: binary(full, "cloudEvents:"),
    conflict: binary(full.cloneWith({ data: { ...full.data, ids: [id] } }), "cloudEvents:"),
    otherType: structured(one.cloneWith({ type: "org.example.deleted" })),
    otherVersion: structured(new CloudEvent({ ...one, specversion: "0.3" }, false)),
    noData: structured(one.cloneWith({ data: undefined })),
  };
}

/** What the broker says to a message that names another user than the one who is connected. */
async function refusal(connection) {
  const channel = await connection.createChannel();
  const refused = new Promise((resolve) => channel.once("error", (error) => resolve(error.code)));
  channel.publish(EXCHANGE, "", Buffer.from("{}"), { userId: "somebody-else", contentType: "application/json" });
  return refused;
}

async function main() {
  const connection = await amqp.connect(address);
  const channel = await connection.createConfirmChannel();
  channel.on("return", () => fail("nobody takes deletion requests here"));
  const { queue } = await channel.assertQueue("", { exclusive: true });
  const waiting = new Map();
  await channel.consume(queue, ({ properties, content }) => {
    waiting.get(properties.correlationId)({ type: properties.contentType, ...JSON.parse(content.toString()) });
  }, { noAck: true });

  // One after the other: of two that contradict each other the first to be taken in is the request.
  const answers = {};
  for (const [name, { body, properties }] of Object.entries(messages())) {
    const answered = new Promise((resolve) => waiting.set(name, resolve));
    channel.publish(EXCHANGE, "", Buffer.from(body), { ...properties, userId: user, replyTo: queue, correlationId: name, persistent: true, mandatory: true });
    await channel.waitForConfirms();
    answers[name] = await answered;
  }

  // Buried before they are answered: all of them are there.
  const dead = {};
  for (let message = await channel.get(DEAD, { noAck: true }); message; message = await channel.get(DEAD, { noAck: true })) {
    dead[message.properties.correlationId] = message.properties.headers;
  }

  console.log(JSON.stringify({ answers, dead, refusal: await refusal(connection) }));
  await connection.close();
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

setTimeout(() => fail("not every request was answered in time"), DEADLINE_MS).unref();
main().catch((error) => fail(error.stack));

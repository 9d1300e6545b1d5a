// Reads the events of a queue as a receiver in JavaScript does: each is parsed and checked by the CloudEvents SDK.
// Arguments: address of the virtual host, the queue. Prints [{messageId, event, same}] as JSON.
"use strict";

const amqp = require("amqplib");
const { CloudEvent, HTTP } = require("cloudevents");

const [address, queue] = process.argv.slice(2);

async function main() {
  const connection = await amqp.connect(address);
  const channel = await connection.createChannel();
  const told = [];
  for (let message = await channel.get(queue, { noAck: true }); message; message = await channel.get(queue, { noAck: true })) {
    const body = message.content.toString();
    const event = HTTP.toEvent({ headers: { "content-type": message.properties.contentType }, body });

    // Of another version it only says that it is not valid.
    if (!event.validate()) {
      throw new Error(`not valid: ${event}`);
    }

    // Reading mends a time that is none: only an event made of the attributes as they were sent is checked strictly.
    const sent = new CloudEvent(JSON.parse(body), true);
    told.push({ messageId: message.properties.messageId, event, same: sent.toString() === event.toString() });
  }

  console.log(JSON.stringify(told));
  await connection.close();
}

main().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});

// Reads the events of a queue as a receiver in JavaScript does: each is parsed and checked by the CloudEvents SDK.
// Arguments: address of the virtual host, the queue. Prints [{messageId, sent, event}] as JSON.
"use strict";

const amqp = require("amqplib");
const { HTTP } = require("cloudevents");

const [address, queue] = process.argv.slice(2);

async function main() {
  const connection = await amqp.connect(address);
  const channel = await connection.createChannel();
  const told = [];
  for (let message = await channel.get(queue, { noAck: true }); message; message = await channel.get(queue, { noAck: true })) {
    const body = message.content.toString();
    const event = HTTP.toEvent({ headers: { "content-type": message.properties.contentType }, body });
    event.validate();

    told.push({ messageId: message.properties.messageId, sent: JSON.parse(body), event });
  }

  console.log(JSON.stringify(told));
  await connection.close();
}

main().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});

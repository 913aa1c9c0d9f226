// What ingress does, with Stripe's and AWS's own packages: the secret once, then for each event the signature,
// four fields and a message.
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import http from "node:http";
import Stripe from "stripe";

const sqs = new SQSClient({});
const stripe = new Stripe("sk_test_unused");
const name = process.env.WEBHOOK_SECRETS.split("=")[1];
const { SecretString: secret } = await new SecretsManagerClient({}).send(
  new GetSecretValueCommand({ SecretId: name }),
);

async function handler(delivery) {
  let event;
  try {
    event = stripe.webhooks.constructEvent(delivery.body, delivery.headers["stripe-signature"], secret);
  } catch {
    return { statusCode: 400, body: "signature refused" };
  }
  const { id, type, livemode } = event;
  const { id: object, customer } = event.data.object;
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: process.env.EVENT_QUEUE_URL,
      MessageBody: JSON.stringify({ id, type, livemode, object, customer }),
      MessageGroupId: customer ?? object,
      MessageDeduplicationId: id,
    }),
  );
  return { statusCode: 200, body: "queued" };
}

// The runtime's loop; Lambda's own client does more.
const agent = new http.Agent({ keepAlive: true });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const asked = http.request({ agent, host, port, method, path: `/2018-06-01/runtime/${path}` }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve({ headers: answer.headers, text }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
for (;;) {
  const { headers, text } = await ask("GET", "invocation/next");
  const answer = JSON.stringify(await handler(JSON.parse(text)));
  await ask("POST", `invocation/${headers["lambda-runtime-aws-request-id"]}/response`, answer);
}

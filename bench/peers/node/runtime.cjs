// The loop that Lambda's own runtime for Node runs: the handler's module is its argument.
const { Agent, request } = require('node:http');

const { handler } = require(process.argv[2]);

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const asked = request({ agent, host, port, method, path: `/2018-06-01/runtime/${path}`, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts).toString() }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function run() {
  for (;;) {
    const { headers, body } = await ask('GET', 'invocation/next');
    const response = await handler(JSON.parse(body));
    await ask('POST', `invocation/${headers['lambda-runtime-aws-request-id']}/response`, JSON.stringify(response));
  }
}

run();

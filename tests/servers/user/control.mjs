// How the tests talk to these programs: one line of JSON on stdout when ready, routes on loopback that take and
// return JSON, and the end of stdin as the end.
import http from 'node:http';
import { text } from 'node:stream/consumers';

// Listens; resolves to the address of the routes, functions by name.
export async function serve(routes) {
  const server = http.createServer(async (request, response) => {
    const answer = (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body ?? null));
    };
    try {
      const route = routes[request.url.slice(1)];
      if (!route) throw new Error(`There is no ${request.url}.`);
      const body = await text(request);
      answer(200, await route(body ? JSON.parse(body) : {}));
    } catch (error) {
      answer(500, { error: error.message });
    }
  });
  await new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', done);
  });
  return `http://127.0.0.1:${server.address().port}`;
}

// Tells the test that all is ready, and ends with its stdin, so that nothing outlives a test run.
export function live(ready, end) {
  let ending;
  const stop = () => {
    ending ??= Promise.resolve(end()).finally(() => process.exit(0));
  };
  for (const event of ['end', 'close', 'error']) process.stdin.on(event, stop);
  process.stdin.resume();
  process.on('SIGTERM', stop);
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

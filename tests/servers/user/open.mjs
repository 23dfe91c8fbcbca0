// The command that a test names as the browser: hands the address over to the one that runs, as `open` does.
//
//   node open.mjs <control> <address>
const [, , control, url] = process.argv;
const response = await fetch(`${control}/open`, { method: 'POST', body: JSON.stringify({ url }) });
process.exitCode = response.ok ? 0 : 1;

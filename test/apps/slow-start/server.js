'use strict';
const { createServer } = require('node:http');

const READY_AFTER_MS = 20_000;
const started = Date.now();
console.log('loading');
// It listens at once, as servers do that load something first, and says that it cannot serve yet.
createServer((_, response) => {
  const ready = Date.now() - started >= READY_AFTER_MS;
  response.statusCode = ready ? 200 : 503;
  response.end(ready ? 'ready' : 'loading');
}).listen(process.env.PORT);
process.on('SIGTERM', () => process.exit(0));

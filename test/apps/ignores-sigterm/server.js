'use strict';
// A web app that does not end when it is told to: only the end of its grace ends it.
const { createServer } = require('node:http');

createServer((_, response) => response.end('Still here.\n')).listen(process.env.PORT, '0.0.0.0');
process.on('SIGTERM', () => {});

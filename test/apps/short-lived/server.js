'use strict';
const { createServer } = require('node:http');

// ANSWERS=no: it ends before it was ever ready.
if (process.env.ANSWERS !== 'no')
  createServer((_, response) => response.end('still here')).listen(process.env.PORT);
setTimeout(() => {
  console.error('out of patience');
  process.exit(3);
}, 3_000);
process.on('SIGTERM', () => process.exit(0));

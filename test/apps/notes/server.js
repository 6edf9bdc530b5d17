'use strict';
// A small app with a database: keeps notes, and answers what a test asks about where it can reach.
const { createServer } = require('node:http');
const { connect } = require('node:net');
const mysql = require('mysql2/promise');

const { DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, DATABASE_URL, PORT } = process.env;
const settings = {
  host: DB_HOST,
  port: Number(DB_PORT),
  user: DB_USER,
  password: DB_PASSWORD,
  database: DB_NAME,
};

/** One connection for each request: a server that was started anew is met as soon as it is back. */
async function query(sql, values = [], target = settings) {
  const connection = await mysql.createConnection(target);
  try {
    return (await connection.query(sql, values))[0];
  } finally {
    connection.destroy();
  }
}

const routes = {
  '/': async () => ({ up: true }),
  '/notes': async () => (await query('SELECT text FROM notes ORDER BY id')).map((row) => row.text),
  '/add': async (at) => void (await query('INSERT INTO notes (text) VALUES (?)', [at.get('text')])),
  '/by-url': async () => query('SELECT DATABASE() AS name', [], DATABASE_URL),
  '/sql': async (at) => query(at.get('sql')),
  '/variables': async () =>
    Object.fromEntries(
      Object.entries(process.env).filter(([key]) => /^(DB|DATABASE|APP|CONTAINER)_/.test(key)),
    ),
  '/connections': async (at) => {
    const opened = await Promise.allSettled(
      Array.from({ length: Number(at.get('count')) }, () => mysql.createConnection(settings)),
    );
    for (const one of opened) if (one.status === 'fulfilled') one.value.destroy();
    return opened.map((one) => (one.status === 'fulfilled' ? 'open' : one.reason.code));
  },
  '/reach': (at) =>
    new Promise((resolve) => {
      const socket = connect({ host: at.get('host'), port: Number(at.get('port')), timeout: 700 });
      const end = (result) => {
        socket.destroy();
        resolve(result);
      };
      socket.on('connect', () => end('reached'));
      socket.on('timeout', () => end('nothing'));
      socket.on('error', (error) => end(error.code));
    }),
};

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://app');
  try {
    const answer = await routes[pathname](searchParams);
    response.end(JSON.stringify(answer ?? null));
  } catch (error) {
    response.statusCode = 400;
    response.end(JSON.stringify({ error: error.code ?? String(error) }));
  }
}).listen(PORT, '0.0.0.0');
process.on('SIGTERM', () => process.exit(0));

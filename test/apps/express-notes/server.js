'use strict';
const express = require('express');
const mysql = require('mysql2/promise');

const pool = mysql.createPool(process.env.DATABASE_URL);
const app = express();
app.use(express.json());
app.get('/health', (_, response) => response.json({ up: true }));
app.get('/notes', async (_, response) => {
  const [rows] = await pool.query('SELECT text FROM notes ORDER BY id');
  response.json(rows.map(({ text }) => text));
});
app.post('/notes', async (request, response) => {
  await pool.query('INSERT INTO notes (text) VALUES (?)', [request.body.text]);
  console.log(`noted ${request.body.text}`);
  response.status(201).end();
});
const server = app.listen(process.env.PORT, () => console.log('listening'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));

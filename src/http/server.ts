import fastify, { type FastifyInstance } from 'fastify';
import type { RefusedNetworks } from '../lib/refused-networks.js';

/** State of one thing that berthd stands on or offers. `reason` says what is wrong or, when ok, what to look at; empty: nothing. */
export interface ComponentHealth {
  ok: boolean;
  reason: string;
}

export interface HealthReport {
  /** True when every service serves. */
  ok: boolean;
  version: string;
  uptimeSeconds: number;
  components: Record<string, ComponentHealth>;
}

/** HTTP beside gRPC: `GET /healthz` answers 200 with the report, or 503 when something does not serve. */
export function createHttpServer(health: () => HealthReport, refused: RefusedNetworks): FastifyInstance {
  const server = fastify({ logger: false });
  server.server.on('connection', (socket) => {
    if (refused.has(socket)) socket.destroy();
  });
  server.get('/healthz', (_request, reply) => {
    const report = health();
    return reply.code(report.ok ? 200 : 503).send(report);
  });
  return server;
}

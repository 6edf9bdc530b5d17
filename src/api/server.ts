import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { RefusedNetworks } from '../lib/refused-networks.js';
import type { Logger } from '../telemetry/logger.js';
import type { Service } from './calls.js';
import { addReflection } from './reflection.js';

export interface GrpcServerOptions {
  /** `host:port`; port 0 takes any free one. */
  address: string;
  maxMessageBytes: number;
  maxConnections: number;
  maxStreamsPerConnection: number;
  keepaliveMs: number;
  keepaliveTimeoutMs: number;
  /** Whose connections are closed at once. */
  refused: RefusedNetworks;
  logger: Logger;
}

export type ServingStatus = 'SERVING' | 'NOT_SERVING';

/**
 * The gRPC server with health and reflection. Connections come through a `net.Server` of our own, since grpc-js has no
 * limit on how many there are.
 */
export class GrpcServer {
  readonly #server: Server;
  readonly #health = new HealthImplementation({ '': 'NOT_SERVING' });
  readonly #listener: NetServer;
  readonly #sockets = new Set<Socket>();

  constructor(
    private readonly options: GrpcServerOptions,
    services: Service[],
  ) {
    this.#server = new Server({
      'grpc.max_receive_message_length': options.maxMessageBytes,
      'grpc.max_send_message_length': options.maxMessageBytes,
      'grpc.max_concurrent_streams': options.maxStreamsPerConnection,
      'grpc.keepalive_time_ms': options.keepaliveMs,
      'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs,
    });
    for (const [definition, implementation] of services) this.#server.addService(definition, implementation);
    this.#health.addToServer(this.#server);
    addReflection(this.#server);
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = createServer({ noDelay: true }, (socket) => {
      if (options.refused.has(socket)) {
        socket.destroy();
        return;
      }
      if (this.#sockets.size >= options.maxConnections) {
        options.logger.warn(
          { connections: this.#sockets.size },
          'a connection was refused: grpc.maxConnections is reached',
        );
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      injector.injectConnection(socket);
    });
  }

  /** Starts to listen; resolves to the port. */
  async listen(): Promise<number> {
    const { host, port } = splitAddress(this.options.address);
    this.#listener.listen(port, host);
    await once(this.#listener, 'listening');
    const address = this.#listener.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /** What `grpc.health.v1.Health` answers for a service; the empty name is the whole daemon. */
  setHealth(service: string, status: ServingStatus): void {
    this.#health.setStatus(service, status);
  }

  /** Takes no new connections and calls; resolves when the calls under way have ended, or cuts them at the limit. */
  async close(graceMs: number): Promise<void> {
    this.#listener.close();
    const timer = setTimeout(() => this.#server.forceShutdown(), graceMs);
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }
}

export function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}

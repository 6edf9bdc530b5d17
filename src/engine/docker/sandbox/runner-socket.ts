import { connect, type Socket } from 'node:net';

/** What each side says first on the socket: how many bytes it has sent the old way, u64 big-endian. */
const HEAD_BYTES = 8;
const READ_BYTES = 64 * 1024;

export interface RunnerSocketReceiver {
  /** The runner's bytes that follow those which come the old way. A view that is valid only now. */
  bytes(chunk: Uint8Array): void;
  /** The socket that frames already went through is over. */
  closed(): void;
}

/**
 * The shorter way to a runner on this host: its own socket instead of Docker's copy of stdin and stdout, which two more
 * processes pass on. Each direction stays one stream of bytes, of which the first so many go the old way; nothing is
 * lost or overtaken (src/runner/channel.go has the other side). Until the runner has accepted, everything stays as it was,
 * also when it never does.
 */
export class RunnerSocket {
  readonly #socket: Socket;
  #head = Buffer.alloc(0);
  /** Bytes that come the old way; undefined until the runner has told. */
  #oldBytes: number | undefined;
  #held: Buffer[] = [];

  /**
   * @param sent how many bytes went the old way
   * @param received how many came the old way
   */
  constructor(
    path: string,
    private readonly sent: () => number,
    private received: number,
    private readonly receiver: RunnerSocketReceiver,
  ) {
    this.#socket = connect({
      path,
      // One buffer for all reads; whoever keeps bytes copies them anyway.
      onread: {
        buffer: Buffer.alloc(READ_BYTES),
        callback: (length, buffer) => {
          this.#read(buffer as Buffer, length);
          return true;
        },
      },
    });
    this.#socket.on('error', () => undefined); // 'close' follows
    this.#socket.on('end', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      if (this.#oldBytes !== undefined) receiver.closed();
    });
  }

  /** Whether what is written now goes through the socket. */
  get inUse(): boolean {
    return this.#oldBytes !== undefined;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** So many more bytes came the old way. */
  cameOldWay(count: number): void {
    this.received += count;
    this.#deliverHeld();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(buffer: Buffer, length: number): void {
    let chunk = buffer.subarray(0, length);
    if (this.#oldBytes === undefined) {
      const missing = HEAD_BYTES - this.#head.length;
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, missing)]);
      chunk = chunk.subarray(missing);
      if (this.#head.length < HEAD_BYTES) return;
      this.#oldBytes = Number(this.#head.readBigUInt64BE());
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeBigUInt64BE(BigInt(this.sent()));
      this.#socket.write(head);
      if (chunk.length === 0) return;
    }
    if (this.received === this.#oldBytes && this.#held.length === 0) this.receiver.bytes(chunk);
    else {
      // What came before it is still under way through Docker.
      this.#held.push(Buffer.from(chunk));
      this.#socket.pause();
    }
  }

  #deliverHeld(): void {
    if (this.#held.length === 0 || this.received !== this.#oldBytes) return;
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) this.receiver.bytes(chunk);
    this.#socket.resume();
  }
}

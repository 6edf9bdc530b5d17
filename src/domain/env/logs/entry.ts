import type { LogChunk } from '../engine.js';
import type { ServicePosition } from './position.js';

/** What a stream of logs consists of. Times are milliseconds since the epoch. */
export type LogEntry =
  | { kind: 'line'; service: string; chunk: LogChunk }
  /** Lines are missing here. */
  | { kind: 'gap'; service: string; fromTime: number | undefined; toTime: number | undefined; reason: string }
  | {
      kind: 'container_changed';
      service: string;
      containerId: string;
      /** Undefined: not known. */
      time: number | undefined;
      running: boolean;
      /** Undefined: it runs, or it is not known. */
      exitCode: number | undefined;
    };

/** An entry, and where its service's log stands right behind it. */
export interface PlacedEntry {
  readonly entry: LogEntry;
  readonly position: ServicePosition;
}

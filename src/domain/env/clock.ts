export interface EnvClock {
  /** Milliseconds since the epoch. */
  now(): number;
}

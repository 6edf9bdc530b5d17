/** One thing that a check of code, metadata, a template or the host's capacity found. */
export interface Finding {
  /** `error`: it refuses the deployment. */
  severity: 'info' | 'warning' | 'error';
  /** Stable name of what found it, e.g. `metadata.unknown_key`. */
  rule: string;
  /** File of the app; empty: none. */
  path: string;
  /** Key as a path, e.g. `healthCheck.test`; empty: none. */
  field: string;
  /** For people: what it is and what to do. */
  message: string;
}

/** A program that must behave under Berth as under `python3 main.py`. */
export interface FidelityProgram {
  /** `main.py`; absent: `entry` is one of `files`. */
  code?: string;
  /** Other files beside it. */
  files?: Record<string, string | Uint8Array>;
  entry?: string;
  args?: string[];
  env?: Record<string, string>;
  /** Working directory, where the files are. Default: /workspace. */
  cwd?: string;
  stdin?: string | Uint8Array;
  /** Why a new interpreter must serve it, as `started.start_path_reason` says. Absent: the warm one serves it. */
  fresh?: RegExp;
}

/** How a program ended and what it said. */
export interface Ended {
  /** Exit status or name of the signal. */
  ending: number | string;
  stdout: Buffer;
  stderr: Buffer;
}

export function ending(status: number | undefined, signal: string | undefined): number | string {
  return signal ? signal : (status ?? 'unknown');
}

/** What is compared: all of it, but for memory addresses and the reference counts of a dumped object. */
export function comparable({ ending: how, stdout, stderr }: Ended): object {
  return { ending: how, stdout: text(stdout), stderr: text(stderr) };
}

function text(bytes: Buffer): string[] {
  // latin1 keeps every byte as it is.
  const utf8 = bytes.toString('utf8');
  const whole = Buffer.from(utf8).equals(bytes) ? utf8 : bytes.toString('latin1');
  return whole
    .replace(/\b0x[0-9a-f]{6,}/g, '0xADDRESS')
    .replace(/(?<=object refcount : )\d+/g, 'COUNT')
    .split('\n');
}

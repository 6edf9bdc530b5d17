import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';

interface QuotaFiles {
  /** Begins with the quota in microseconds, or with `none`. */
  quota: string;
  burst: string;
  /** How the kernel says that there is no quota. */
  none: '-1' | 'max';
}

/** The share of CPU time that the kernel holds a container to, changed behind Docker's back. Synchronous writes of some 10 µs. */
export class CpuQuota {
  /** What the file held before the quota was lifted. */
  #lifted: string | undefined;

  private constructor(private readonly files: QuotaFiles) {}

  static ofV1(directory: string): CpuQuota {
    const [quota, burst] = ['cpu.cfs_quota_us', 'cpu.cfs_burst_us'].map((name) => path.join(directory, name));
    return new CpuQuota({ quota: quota!, burst: burst!, none: '-1' });
  }

  static ofV2(directory: string): CpuQuota {
    const [quota, burst] = ['cpu.max', 'cpu.max.burst'].map((name) => path.join(directory, name));
    return new CpuQuota({ quota: quota!, burst: burst!, none: 'max' });
  }

  /** A burst of one period's quota; the kernel takes none above it. False where there is no quota, or no burst. */
  allowBurst(): boolean {
    return attempt(() => {
      const [quota = this.files.none] = this.#read().split(' ');
      if (quota === this.files.none) return false;
      writeExisting(this.files.burst, quota);
      return true;
    });
  }

  /** Lets it use whatever is free, until `restore`. False where that cannot be set. */
  lift(): boolean {
    return attempt(() => {
      const before = this.#read();
      writeExisting(this.files.quota, this.files.none);
      this.#lifted = before;
      return true;
    });
  }

  /** Puts the quota back, if it was lifted. @throws Error when the kernel does not take it */
  restore(): void {
    if (this.#lifted === undefined) return;
    writeExisting(this.files.quota, this.#lifted);
    this.#lifted = undefined;
  }

  #read(): string {
    return readFileSync(this.files.quota, 'latin1').trim();
  }
}

/** Never makes a file: where the kernel has none there is nothing to set. */
function writeExisting(file: string, text: string): void {
  const fd = openSync(file, 'r+');
  try {
    writeSync(fd, text, 0);
  } finally {
    closeSync(fd);
  }
}

function attempt(step: () => boolean): boolean {
  try {
    return step();
  } catch {
    return false;
  }
}

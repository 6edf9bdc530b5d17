// The descriptors and resident memory of a daemon over time.
import { readdirSync } from 'node:fs';
import { residentBytes } from '../../bench/measure/processes.mjs';

const EVERY_MS = 500;
const MIB = 1024 * 1024;

/** @typedef {{atMs: number, descriptors: number, rssMib: number}} Look */

/** @returns {Look} `atMs` of performance.now() */
export function lookAt(pid) {
  return {
    atMs: performance.now(),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    rssMib: residentBytes(pid) / MIB,
  };
}

/** Looks twice a second until it is stopped. */
export class DaemonWatch {
  /** @type {Look[]} */
  looks = [];

  constructor(pid) {
    this.looks.push(lookAt(pid));
    this.timer = setInterval(() => {
      try {
        this.looks.push(lookAt(pid));
      } catch {
        // It is gone, which the clients see and say.
      }
    }, EVERY_MS);
  }

  stop() {
    clearInterval(this.timer);
  }

  /**
   * Growth over the second half: of the line through its points (least squares), so that one lucky or unlucky instant at
   * either end decides nothing.
   *
   * @param {'descriptors' | 'rssMib'} what
   */
  growth(what) {
    const half = this.looks.slice(Math.floor(this.looks.length / 2));
    const seconds = (half.at(-1).atMs - half[0].atMs) / 1000;
    return slope(half.map((look) => [look.atMs / 1000, look[what]])) * seconds;
  }

  get secondHalfSeconds() {
    const half = this.looks.slice(Math.floor(this.looks.length / 2));
    return (half.at(-1).atMs - half[0].atMs) / 1000;
  }
}

/** Of the line through the points, least squares. @param {[number, number][]} points */
export function slope(points) {
  const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const along = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  const across = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return along === 0 ? 0 : across / along;
}

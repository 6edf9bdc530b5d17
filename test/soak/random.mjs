// Choices that a seed makes again.

/** A small generator (sfc32). Equal seeds and equal labels give equal choices. */
export class Random {
  #state;

  /** @param {string} seed */
  constructor(seed) {
    this.#state = [1, 2, 3].map((salt) => hash(`${seed}/${salt}`)).concat(1);
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** A generator of its own, so that what one does with it changes nothing for the others. */
  fork() {
    return new Random(String(this.#next()));
  }

  /** 0 to 1, without 1. */
  fraction() {
    return this.#next() / 2 ** 32;
  }

  /** A whole number, both ends included. */
  int(least, most) {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  chance(probability) {
    return this.fraction() < probability;
  }

  pick(items) {
    return items[this.int(0, items.length - 1)];
  }

  /** One of some items that each have a `weight`. */
  pickWeighted(items) {
    let at = this.fraction() * items.reduce((sum, { weight }) => sum + weight, 0);
    return items.find(({ weight }) => (at -= weight) < 0) ?? items.at(-1);
  }

  bytes(length) {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#next() & 0xff;
    return bytes;
  }

  #next() {
    const s = this.#state;
    const t = (s[0] + s[1] + s[3]) | 0;
    s[3] = (s[3] + 1) | 0;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = (s[2] + (s[2] << 3)) | 0;
    s[2] = (((s[2] << 21) | (s[2] >>> 11)) + t) | 0;
    return t >>> 0;
  }
}

/** FNV-1a. */
function hash(text) {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value | 0;
}

const CTRL_P = 0x10;
const CTRL_Q = 0x11;

/** Finds Ctrl-P Ctrl-Q, as Docker has it, among what is typed; a Ctrl-P that something else follows is typed after all. */
export class DetachKeys {
  #held = false;

  /** @returns what is to be handed on, and whether the keys came */
  take(typed: Uint8Array): { bytes: Uint8Array; detach: boolean } {
    const bytes: number[] = [];
    for (const byte of typed) {
      if (this.#held && byte === CTRL_Q) return { bytes: Uint8Array.from(bytes), detach: true };
      if (this.#held) bytes.push(CTRL_P);
      this.#held = byte === CTRL_P;
      if (!this.#held) bytes.push(byte);
    }
    return { bytes: Uint8Array.from(bytes), detach: false };
  }
}

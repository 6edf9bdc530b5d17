// The program that every side runs, different each time so that no side can answer from memory.

/** `print(N)`, behind a `prelude` of whole lines, with the output that it must have. */
export function program(round, prelude = '') {
  const number = 1_000_000 + round;
  return { code: `${prelude}print(${number})`, output: `${number}\n` };
}

/** @throws Error when a side did not do its work: a fast wrong answer is no measurement */
export function checkOutput(side, expected, { output, exitCode }) {
  if (output !== expected || exitCode !== 0) {
    throw new Error(
      `${side} printed ${JSON.stringify(output)} with exit code ${exitCode} instead of ${JSON.stringify(expected)} with 0`,
    );
  }
}

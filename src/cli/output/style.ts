export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Colours a text, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

/** Start and end of each style, as in ECMA-48 (SGR). */
const CODES: Record<Colour, readonly [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

/** Colours only on a terminal that can show them, and not where NO_COLOR is set. */
export function paintFor(isTerminal: boolean, env: NodeJS.ProcessEnv): Paint {
  const plain = !isTerminal || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
  if (plain) return (_colour, text) => text;
  return (colour, text) =>
    text === '' ? '' : `\u001b[${CODES[colour][0]}m${text}\u001b[${CODES[colour][1]}m`;
}

/** Text that somebody else wrote, without what could move the cursor or change the terminal. */
export function printable(text: string): string {
  return text.replace(/\t/g, '    ').replace(/[\u0000-\u001f\u007f-\u009f]/g, '\u{fffd}');
}

/** Colours and weights (SGR): all that text of somebody else may do to a terminal. */
const STYLE_SEQUENCE = /\u001b\[[\d;:]*m/g;
const STYLE_END = '\u001b[0m';

/**
 * As `printable`, with colours: for what programs wrote that colour their output. Whatever else could move the cursor,
 * change the title, fill the clipboard or make the terminal answer is shown and not done; colours end with the text.
 */
export function printableInColour(text: string): string {
  const styles = text.match(STYLE_SEQUENCE);
  if (styles === null) return printable(text);
  const safe = text
    .split(STYLE_SEQUENCE)
    .map((part, i) => printable(part) + (styles[i] ?? ''))
    .join('');
  return styles.at(-1) === STYLE_END ? safe : safe + STYLE_END;
}

/** A program as it is written here, without the indentation that its lines share. */
export function python(parts: TemplateStringsArray): string {
  const lines = String.raw(parts).replace(/^\n/, '').trimEnd().split('\n');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => /^ */.exec(line)?.[0].length ?? 0);
  const shared = Math.min(...indents);
  return `${lines.map((line) => line.slice(shared)).join('\n')}\n`;
}

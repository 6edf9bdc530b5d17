import type { EngineName, HostileProgram } from './program.js';

/**
 * What came of a program on an engine, for people: "held" where all that its header says was seen and nobody was harmed,
 * "BROKE" where not.
 */
export class OutcomeTable {
  readonly #rows = new Map<string, { threats: string; cells: Map<EngineName, string> }>();

  record({ name, threats }: HostileProgram, engine: EngineName, outcome: string): void {
    const row = this.#rows.get(name) ?? { threats: threats.join(' '), cells: new Map() };
    row.cells.set(engine, outcome);
    this.#rows.set(name, row);
  }

  /** @param notes what holds for a whole engine, such as why it was not tried */
  print(engines: readonly EngineName[], notes: readonly string[]): string {
    const header = ['program', 'threats', ...engines];
    const rows = [...this.#rows].map(([name, { threats, cells }]) => [
      name,
      threats,
      ...engines.map((engine) => cells.get(engine) ?? '-'),
    ]);
    const widths = header.map((_, column) =>
      Math.max(...[header, ...rows].map((row) => row[column]!.length)),
    );
    const text = [header, widths.map((width) => '-'.repeat(width)), ...rows].map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
    return [...text, ...notes].join('\n');
  }
}

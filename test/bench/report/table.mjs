// The table for people.
import { say } from '../../../src/cli/setup/progress.mjs';
import { describeGoal, meets } from '../goals.mjs';

const HEAD = ['ratio', 'berth p50 / p95', 'peer p50 / p95', 'samples', 'value', 'goal', ''];

/** @param {import('./finding.mjs').Finding[]} findings */
export function printTable(findings, { before, after, python }) {
  const comparisons = findings.filter((finding) => 'ratio' in finding);
  const figures = findings.filter((finding) => 'value' in finding);
  const missing = findings.filter((finding) => 'missing' in finding);
  say();
  if (comparisons.length > 0) {
    printRows([HEAD, ...comparisons.map(toRow)]);
    say();
    for (const line of sidesOf(comparisons)) say(line);
    say(`  The bare interpreter is ${python}.`);
  }
  if (figures.length > 0) {
    say();
    printRows(
      figures.map(({ name, value, unit, what }) => [
        name,
        `${number(value)} ${unit}`,
        describeGoal(name),
        markOf(name, value),
        what,
      ]),
      4,
    );
  }
  for (const { name, missing: why } of missing) say(`${name}: left out, ${why}`);
  say();
  say(
    `Ratios are of one interleaved run and can be compared between machines; absolute times and sizes are noise of this one: ` +
      `${before.cpus} CPUs, Linux ${before.kernel}, Node ${before.node}, load ${before.load.toFixed(1)} before and ${after.load.toFixed(1)} after.`,
  );
}

function toRow({ name, ratio, ours, peer }) {
  const samples = ours.count === peer.count ? `${ours.count}` : `${ours.count} / ${peer.count}`;
  return [
    name,
    times(ours),
    times(peer),
    samples,
    ratio.toFixed(ratio < 0.1 ? 3 : 2),
    describeGoal(name),
    markOf(name, ratio),
  ];
}

function markOf(name, value) {
  const met = meets(name, value);
  return met === undefined ? '' : met ? '✓' : '✗ missed';
}

const times = ({ p50, p95, unit }) => `${number(p50)} / ${number(p95)} ${unit}`;

const number = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

/** What was done on both sides, once for all ratios of the same measurement. */
function sidesOf(comparisons) {
  const names = new Map();
  for (const { name, ours, peer } of comparisons) {
    const text = `    berth: ${ours.what}\n    peer: ${peer.what}`;
    names.set(text, [...(names.get(text) ?? []), name]);
  }
  return [...names].map(([text, of]) => `  ${of.join(', ')}\n${text}`);
}

/** The first column is aligned to the left, and from `textFrom` on the others too. */
function printRows(rows, textFrom = Infinity) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const isText = (column) => column === 0 || column >= textFrom;
  for (const row of rows)
    say(
      row
        .map((cell, column) => (isText(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    );
}

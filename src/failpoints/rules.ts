/** What happens at a failpoint. */
export type FailpointAction =
  /** The call is not made, and fails. */
  | { kind: 'error' }
  /** The call is made, and its answer is lost: it fails for the caller. */
  | { kind: 'lost' }
  /** The call is made later. */
  | { kind: 'delay'; ms: number }
  /** berthd is killed with SIGKILL before the call, or right after it. */
  | { kind: 'kill'; when: 'before' | 'after' };

export interface FailpointRule {
  /** Name of a failpoint; `*`: any. */
  name: string;
  action: FailpointAction;
  /** Which passing of that name, from 1; `every`: all of them. */
  nth: number | 'every';
}

/** The rules cannot be read. Each problem names the rule and says what would be right. */
export class FailpointRulesError extends Error {
  override readonly name = 'FailpointRulesError';
  constructor(readonly problems: string[]) {
    super(`BERTH_FAILPOINTS: ${problems.join('; ')}`);
  }
}

const ACTION = /^(?:error|lost|kill|kill_after|delay\((\d{1,6})\))$/;
const EXPECTED = 'NAME=ACTION or NAME=ACTION@NTH, ACTION one of error, lost, delay(MS), kill, kill_after';

/**
 * Reads rules such as `docker.createNetwork=error; store.commit(verify done)=kill@2; sql.*=delay(50)@*`, separated by
 * semicolons or line ends; a line that begins with `#` says nothing. Without `@NTH` it is the first passing.
 * @throws FailpointRulesError naming every rule that is none
 */
export function parseFailpointRules(text: string): FailpointRule[] {
  const problems: string[] = [];
  const rules: FailpointRule[] = [];
  for (const part of text.split(/[;\n]/)) {
    const rule = part.trim();
    if (rule === '' || rule.startsWith('#')) continue;
    const parsed = parseRule(rule);
    if (typeof parsed === 'string') problems.push(parsed);
    else rules.push(parsed);
  }
  if (problems.length > 0) throw new FailpointRulesError(problems);
  return rules;
}

/** @returns the rule, or what is wrong with it */
function parseRule(rule: string): FailpointRule | string {
  const equals = rule.lastIndexOf('=');
  if (equals < 1) return `"${rule}" is no rule: expected ${EXPECTED}`;
  const name = rule.slice(0, equals).trim();
  const [action = '', nth = '1', ...more] = rule
    .slice(equals + 1)
    .trim()
    .split('@');
  const known = ACTION.exec(action);
  if (!known || more.length > 0) return `"${action}" in "${rule}" is no action: expected ${EXPECTED}`;
  if (nth !== '*' && !/^[1-9]\d{0,5}$/.test(nth))
    return `"${nth}" in "${rule}" is no count: expected a number from 1, or * for every passing`;
  return { name, action: actionOf(action, known[1]), nth: nth === '*' ? 'every' : Number(nth) };
}

function actionOf(action: string, ms: string | undefined): FailpointAction {
  switch (action) {
    case 'error':
    case 'lost':
      return { kind: action };
    case 'kill':
      return { kind: 'kill', when: 'before' };
    case 'kill_after':
      return { kind: 'kill', when: 'after' };
    default:
      return { kind: 'delay', ms: Number(ms) };
  }
}

import { distance } from 'fastest-levenshtein';
import { type Entry, faultOfCharacters, parseConfigText } from './file.ts';
import { isKeyName, type AnyKey, type KeyName, KEYS, type PartialValues, RETIRED_KEYS } from './keys.ts';

/** More problems than this are counted, not listed. */
const MAX_PROBLEMS = 100;

/** Something wrong with the configuration, or worth knowing. Never holds the text of a value. */
export interface Problem {
  /** `FILE:LINE`, `FILE` or `environment`. */
  readonly where: string;
  readonly key: string | null;
  /** Completes the sentence "KEY: …". */
  readonly what: string;
}

/** What was set, and where. */
interface Given {
  readonly text: string;
  readonly where: string;
  readonly fault: string | null;
}

/** All keys as far as they could be read. */
export interface Reading {
  readonly values: PartialValues;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Secrets that stand in the file itself. */
  readonly secretsInFile: readonly KeyName[];
  /** `FILE:LINE` or `environment` where the key is set, else the file. */
  whereIs(key: KeyName): string;
}

/** Reads every key from the text of the file and, over it, from the environment. Judges each key alone. */
export function readKeys(
  file: string,
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Reading {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const { entries, stray } = parseConfigText(text);
  for (const line of stray) {
    problems.push({ where: `${file}:${line}`, key: null, what: 'is neither KEY=VALUE nor a # comment' });
  }
  const given = new Map<KeyName, Given>();
  const firstLine = new Map<string, number>();
  for (const entry of entries) {
    const where = `${file}:${entry.line}`;
    const first = firstLine.get(entry.key);
    firstLine.set(entry.key, first ?? entry.line);
    if (first !== undefined) {
      problems.push({ where, key: entry.key, what: `is set again (first at line ${first}); keep one` });
    } else if (isKeyName(entry.key)) {
      const fault = entry.fault ?? faultOfSecret(entry.key, entry);
      if (entry.value !== '' || fault !== null) given.set(entry.key, { text: entry.value, where, fault });
    } else if (Object.hasOwn(RETIRED_KEYS, entry.key)) {
      warnings.push({ where, key: entry.key, what: `has no meaning any more: ${RETIRED_KEYS[entry.key]}` });
    } else {
      problems.push({ where, key: entry.key, what: `is not a key${suggestion(entry.key)}` });
    }
  }
  for (const key of keyNames()) {
    const value = env[key]?.trim() ?? '';
    if (value !== '') {
      given.set(key, { text: value, where: 'environment', fault: faultOfCharacters(value) });
    }
  }
  const judged = judge(file, given);
  return {
    values: judged.values,
    problems: [...problems, ...judged.problems],
    warnings,
    secretsInFile: keyNames().filter((key) => KEYS[key].secret && holds(entries, key)),
    whereIs: (key) => given.get(key)?.where ?? file,
  };
}

function judge(
  file: string,
  given: ReadonlyMap<KeyName, Given>,
): { values: PartialValues; problems: Problem[] } {
  const problems: Problem[] = [];
  const values: Record<string, unknown> = {};
  for (const name of keyNames()) {
    const key: AnyKey = KEYS[name];
    const set = given.get(name);
    if (set === undefined) {
      if (key.presence === 'required') problems.push({ where: file, key: name, what: 'is required' });
      else values[name] = key.fallback === null ? null : key.schema.parse(key.fallback);
      continue;
    }
    if (set.fault !== null) {
      problems.push({ where: set.where, key: name, what: set.fault });
      continue;
    }
    const read = key.schema.safeParse(set.text);
    if (read.success) values[name] = read.data;
    else
      for (const issue of read.error.issues)
        problems.push({ where: set.where, key: name, what: issue.message });
  }
  return { values, problems };
}

/** A password that holds ` #` and a comment after a password look the same, so neither is guessed. */
function faultOfSecret(key: KeyName, entry: Entry): string | null {
  if (!KEYS[key].secret || !entry.cutAtComment) return null;
  return 'has a # after a blank, which may be a comment or part of it: wrap the value in quotes';
}

function holds(entries: readonly Entry[], key: KeyName): boolean {
  return entries.some((entry) => entry.key === key && (entry.value !== '' || entry.fault !== null));
}

/** `: did you mean KEY?` where a key is near enough, else nothing. */
function suggestion(name: string): string {
  const upper = name.toUpperCase();
  const [nearest] = [...keyNames(), ...Object.keys(RETIRED_KEYS)]
    .map((key) => ({ key, edits: distance(upper, key) }))
    .toSorted((a, b) => a.edits - b.edits);
  const near = nearest !== undefined && nearest.edits <= Math.max(2, Math.floor(nearest.key.length / 3));
  return near ? `: did you mean ${nearest.key}?` : '';
}

function keyNames(): KeyName[] {
  return Object.keys(KEYS).filter(isKeyName);
}

/** One problem a line, in the order of the file; `WHERE KEY: what is wrong; example: KEY=…`. */
export function describe(problems: readonly Problem[]): string {
  const lines = problems
    .toSorted((a, b) => lineOf(a) - lineOf(b))
    .slice(0, MAX_PROBLEMS)
    .map(describeOne);
  if (problems.length > MAX_PROBLEMS) lines.push(`… and ${problems.length - MAX_PROBLEMS} more`);
  return lines.join('\n');
}

/** A problem as a sentence with its example. */
function describeOne({ where, key, what }: Problem): string {
  const example = key !== null && isKeyName(key) ? `; example: ${key}=${KEYS[key].example}` : '';
  return `${where}${key === null ? '' : ` ${key}`}: ${what}${example}`;
}

/** A warning as a sentence; an example would not help there. */
export function describeWarning({ where, key, what }: Problem): string {
  return `${where}${key === null ? '' : ` ${key}`}: ${what}`;
}

function lineOf(problem: Problem): number {
  const line = /:(\d+)$/.exec(problem.where)?.[1];
  return line === undefined ? Number.MAX_SAFE_INTEGER : Number(line);
}

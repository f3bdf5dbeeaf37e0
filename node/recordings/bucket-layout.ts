import type { DayRange } from './day-folders.ts';

/**
 * How recordings lie in a bucket (S3_RECORDINGS_LAYOUT): anyhow (`flat`), or in directories whose names tell the day.
 * Plain data. What lies below the last directory of a template may lie in further ones.
 */
export type BucketLayout =
  | { readonly kind: 'flat' }
  | {
      readonly kind: 'dated';
      /** From the outermost to the innermost: `{server}`, `{any}`, or text in which `{yyyy}`, `{mm}`, `{dd}` stand. */
      readonly directories: readonly string[];
    };

export type ParsedLayout =
  | { readonly ok: true; readonly layout: BucketLayout }
  /** What is wrong, going on the sentence "S3_RECORDINGS_LAYOUT …"; never repeats the text. */
  | { readonly ok: false; readonly fault: string };

/** A piece of the way to a directory: text with its `/`, or one directory of whatever name that must be listed. */
export type Step = { readonly fixed: string } | { readonly listed: 'server' | 'any' };

const MAX_LENGTH = 300;
const MAX_DIRECTORIES = 12;
const MAX_ANY = 3;
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;
const DATE_PART = /\{(?:yyyy|mm|dd)\}/g;
const PLACEHOLDER = /\{(?:yyyy|mm|dd|server|any)\}/gi;

/** Reads `flat` or a template such as `{server}/{yyyy}-{mm}/`; the `/` at its end may be left out. Never throws. */
export function parseLayout(text: string): ParsedLayout {
  if (text.toLowerCase() === 'flat') return { ok: true, layout: { kind: 'flat' } };
  // Placeholders are ours and may be shouted; everything else is the bucket's, to the letter.
  const template = text.replaceAll(PLACEHOLDER, (found) => found.toLowerCase()).replace(/\/$/, '');
  const directories = template.split('/');
  const fault = faultOf(text, template, directories);
  return fault === null ? { ok: true, layout: { kind: 'dated', directories } } : { ok: false, fault };
}

function faultOf(text: string, template: string, directories: readonly string[]): string | null {
  if (text.length > MAX_LENGTH) return `must be at most ${MAX_LENGTH} characters long`;
  if (!PRINTABLE.test(text)) return 'holds a character that cannot be printed';
  if (text.startsWith('/')) return 'must not begin with /: a key has none before its first directory';
  if (directories.length > MAX_DIRECTORIES) return `must have at most ${MAX_DIRECTORIES} directories`;
  if (directories.includes('')) return 'names a directory without a name (//)';
  if (directories.some((one) => /^\.+$/.test(one))) return 'names the directory . or ..';
  if (/[{}]/.test(template.replaceAll(PLACEHOLDER, '')))
    return 'has braces other than {yyyy}, {mm}, {dd}, {server} and {any}';
  if (directories.some((one) => /\{(?:server|any)\}/.test(one) && !isListed(one)))
    return '{server} and {any} must each be a whole directory';
  if (directories.filter((one) => one === '{server}').length > 1) return 'has {server} more than once';
  if (directories.filter((one) => one === '{any}').length > MAX_ANY)
    return `has {any} more than ${MAX_ANY} times`;
  if (!template.includes('{yyyy}'))
    return 'must be flat or name the day of its directories by {yyyy}, {mm} and {dd}: directories without a date are flat too';
  if (template.includes('{dd}') && !template.includes('{mm}')) return 'has {dd} without {mm}';
  return null;
}

function isListed(directory: string): boolean {
  return directory === '{server}' || directory === '{any}';
}

/** Whether directories are called after servers, so that a search can be restricted to one. */
export function tellsServers(layout: BucketLayout): boolean {
  return layout.kind === 'dated' && layout.directories.includes('{server}');
}

/** The directories that a layout begins with whatever the day and the server. */
export function fixedDirectories(layout: BucketLayout): readonly string[] {
  if (layout.kind === 'flat') return [];
  const changing = layout.directories.findIndex((one) => one.includes('{'));
  return layout.directories.slice(0, changing === -1 ? undefined : changing);
}

/**
 * The ways to the directories that can hold recordings of these days, each once; the first day's first. For a flat
 * bucket one of no steps: everything.
 */
export function waysTo(layout: BucketLayout, range: DayRange): (readonly Step[])[] {
  if (layout.kind === 'flat') return [[]];
  const ways = new Map<string, readonly Step[]>();
  // A month or a year is the same for many days.
  const unit = layout.directories.some((one) => one.includes('{dd}')) ? 10 : 7;
  for (const day of new Set(daysOf(range).map((one) => one.slice(0, unit)))) {
    const directories = layout.directories.map((one) => dated(one, day));
    ways.set(directories.join('/'), stepsOf(directories));
  }
  return [...ways.values()];
}

function dated(directory: string, day: string): string {
  const parts = { '{yyyy}': day.slice(0, 4), '{mm}': day.slice(5, 7), '{dd}': day.slice(8, 10) };
  return directory.replaceAll(DATE_PART, (part) => parts[part as keyof typeof parts]);
}

/** Fixed directories one after another become one step. */
function stepsOf(directories: readonly string[]): readonly Step[] {
  const steps: Step[] = [];
  for (const directory of directories) {
    const last = steps.at(-1);
    if (directory === '{server}') steps.push({ listed: 'server' });
    else if (directory === '{any}') steps.push({ listed: 'any' });
    else if (last !== undefined && 'fixed' in last)
      steps.splice(-1, 1, { fixed: `${last.fixed}${directory}/` });
    else steps.push({ fixed: `${directory}/` });
  }
  return steps;
}

function daysOf(range: DayRange): string[] {
  const days: string[] = [];
  const last = Temporal.PlainDate.from(range.last);
  for (
    let day = Temporal.PlainDate.from(range.first);
    Temporal.PlainDate.compare(day, last) <= 0;
    day = day.add({ days: 1 })
  ) {
    days.push(day.toString());
  }
  return days;
}

import { AppError } from '../platform/errors.ts';
import { readEntry } from './chain.ts';
import type { AuditEntry, AuditFilter, AuditPage } from './event.ts';
import { type Line, linesBackwards, linesOf, monthFiles } from './files.ts';

/** Of a page; it crosses the control socket in one piece. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Jobs of one person that are followed; of who has more, the later ones are found by the address alone. */
const MAX_JOBS = 100_000;
/** What is older than asked for by so much ends a search backwards: a clock may have been set back. */
const SLACK = { hours: 1 };
const CURSOR = /^(\d{4}-\d{2}\.jsonl):(\d{1,15})$/;
/** Details that say who asked. */
const ASKERS = ['from', 'requester'];

/** Whether an entry is wanted. */
type Matches = (entry: AuditEntry, line: string) => boolean;

/** Entries from the oldest on. @throws AppError `request.invalid` for a cursor that is none; the signal's reason */
export async function pageOf(
  directory: string,
  filter: AuditFilter,
  after: string | null,
  limit: number,
  signal?: AbortSignal,
): Promise<AuditPage> {
  const begin = after === null ? null : readCursor(after);
  const matches = await matcherOf(directory, filter, signal);
  const lines: string[] = [];
  let bytes = 0;
  for (const file of await filesSince(directory, filter)) {
    if (begin !== null && file < begin.file) continue;
    for await (const line of linesOf(directory, file, begin?.file === file ? begin.start : 0)) {
      signal?.throwIfAborted();
      const text = wantedText(line, matches);
      if (text === null) continue;
      if (lines.length >= limit || (lines.length > 0 && bytes + text.length > MAX_PAGE_BYTES)) {
        return { lines, next: `${file}:${line.start}` };
      }
      lines.push(text);
      bytes += text.length;
    }
  }
  return { lines, next: null };
}

/** The newest entries, the newest last. */
export async function newestOf(
  directory: string,
  filter: AuditFilter,
  limit: number,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const matches = await matcherOf(directory, filter, signal);
  const lines: string[] = [];
  let bytes = 0;
  for await (const line of backwards(directory, filter.since)) {
    signal?.throwIfAborted();
    const text = wantedText(line, matches);
    if (text === null) continue;
    bytes += text.length;
    if (lines.length >= limit || (lines.length > 0 && bytes > MAX_PAGE_BYTES)) break;
    lines.push(text);
  }
  return lines.toReversed();
}

/** Entries of one kind since a time, the newest first. */
export async function* entriesSince(
  directory: string,
  event: string,
  since: Temporal.Instant,
): AsyncGenerator<AuditEntry> {
  const mark = JSON.stringify(event);
  for await (const { bytes } of backwards(directory, since)) {
    if (!bytes.includes(mark)) continue;
    const entry = readEntry(bytes.toString('utf8'));
    if (entry?.event === event && isWithin(entry.at, since, null)) yield entry;
  }
}

/** All lines, the newest first, until they are older than asked for. */
async function* backwards(directory: string, since: Temporal.Instant | null): AsyncGenerator<Line> {
  const stop = since?.subtract(SLACK) ?? null;
  for (const file of (await monthFiles(directory)).toReversed()) {
    for await (const line of linesBackwards(directory, file)) {
      const at = stop === null ? undefined : readEntry(line.bytes.toString('utf8'))?.at;
      if (at !== undefined && !isWithin(at, stop, null)) return;
      yield line;
    }
  }
}

/** An entry never lies in the file of a month before its own. */
async function filesSince(directory: string, { since }: AuditFilter): Promise<string[]> {
  const first = since === null ? '' : since.toString().slice(0, 7);
  return (await monthFiles(directory)).filter((file) => file >= first);
}

function wantedText({ bytes }: Line, matches: Matches): string | null {
  const text = bytes.toString('utf8');
  const entry = readEntry(text);
  return entry !== null && matches(entry, text) ? text : null;
}

async function matcherOf(directory: string, filter: AuditFilter, signal?: AbortSignal): Promise<Matches> {
  const { since, until, job } = filter;
  const person = filter.person?.toLowerCase() ?? null;
  const jobs = person === null ? null : await jobsOf(directory, person, signal);
  return (entry, line) => {
    if (job !== null && entry.job?.startsWith(job) !== true) return false;
    if (!isWithin(entry.at, since, until)) return false;
    if (person === null || jobs === null) return true;
    if (entry.job !== undefined && jobs.has(entry.job)) return true;
    return line.toLowerCase().includes(person) && names(entry, person);
  };
}

/** The jobs that somebody asked for, at any time. */
async function jobsOf(directory: string, person: string, signal?: AbortSignal): Promise<Set<string>> {
  const jobs = new Set<string>();
  for (const file of await monthFiles(directory)) {
    for await (const { bytes } of linesOf(directory, file)) {
      signal?.throwIfAborted();
      const text = bytes.toString('utf8');
      if (!text.toLowerCase().includes(person)) continue;
      const entry = readEntry(text);
      if (entry?.job === undefined || !ASKERS.some((key) => names(entry[key], person))) continue;
      if (jobs.size < MAX_JOBS) jobs.add(entry.job);
    }
  }
  return jobs;
}

/** Whether a value, or one within it, is this address, alone or as in `Ana <ana@example.com>`. */
function names(value: unknown, person: string): boolean {
  if (typeof value === 'string') {
    const text = value.toLowerCase();
    return text === person || text.includes(`<${person}>`);
  }
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((inner) => names(inner, person));
}

function isWithin(at: string, since: Temporal.Instant | null, until: Temporal.Instant | null): boolean {
  let instant: Temporal.Instant;
  try {
    instant = Temporal.Instant.from(at);
  } catch {
    return true; // whoever looks for what was done is to see a line that tells no time, too
  }
  if (since !== null && Temporal.Instant.compare(instant, since) < 0) return false;
  return until === null || Temporal.Instant.compare(instant, until) < 0;
}

function readCursor(text: string): { readonly file: string; readonly start: number } {
  const [, file, start] = CURSOR.exec(text) ?? [];
  if (file === undefined || start === undefined) {
    throw new AppError('request.invalid', 'after: must be the next of a page before');
  }
  return { file, start: Number(start) };
}

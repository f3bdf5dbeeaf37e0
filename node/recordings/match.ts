import { AppError } from '../platform/errors.ts';
import { involves, type NumberOrder, type ParsedName, parseRecordingName } from './name.ts';
import { MAX_RECORDINGS, type Recording, type RecordingQuery } from './source.ts';

/** A file that may be a recording, as a source lists it. */
export interface Candidate {
  /** Path below the source's root, with `/`. */
  readonly key: string;
  /** Whether a directory on the way down is called as the server asked for. */
  readonly underServer: boolean;
}

export interface Match<C extends Candidate> {
  readonly candidate: C;
  readonly parsed: ParsedName;
}

/** Those of the candidates that a query asks for, by extension and by wall time, both ends included. */
export function matchesOf<C extends Candidate>(
  candidates: Iterable<C>,
  query: RecordingQuery,
  order: NumberOrder,
): Match<C>[] {
  const extensions = new Set(query.extensions);
  const matches: Match<C>[] = [];
  for (const candidate of candidates) {
    const parsed = parseRecordingName(candidate.key.slice(candidate.key.lastIndexOf('/') + 1), order);
    if (parsed === null || !involves(parsed, extensions)) continue;
    if (parsed.startedAt < query.start || parsed.startedAt > query.end) continue;
    matches.push({ candidate, parsed });
  }
  return matches;
}

/** Whether a directory on the way down to a key is called as the server, which is in lower case. */
export function isUnderServer(key: string, server: string): boolean {
  return key.toLowerCase().split('/').slice(0, -1).includes(server);
}

/** A match as a recording of this size. */
export function recordingOf(
  { candidate: { key }, parsed }: Match<Candidate>,
  sizeBytes: number,
  archived = false,
): Recording {
  const { origin, destination, startedAt, format } = parsed;
  const recording = { key, origin, destination, startedAt, sizeBytes, format };
  return archived ? { ...recording, archived } : recording;
}

/**
 * The matches of one server, where a directory or the system's name in the unique part tells servers apart; all of
 * them where nothing does. `sawServer`: whether there is a directory called as the server.
 */
export function narrow<C extends Candidate>(
  matches: readonly Match<C>[],
  sawServer: boolean,
  server: string | null,
): { readonly chosen: readonly Match<C>[]; readonly narrowed: boolean | null } {
  if (server === null) return { chosen: matches, narrowed: null };
  const isNamed = (match: Match<C>): boolean => match.parsed.system?.toLowerCase() === server.toLowerCase();
  if (!sawServer && !matches.some(isNamed)) return { chosen: matches, narrowed: false };
  return { chosen: matches.filter((match) => match.candidate.underServer || isNamed(match)), narrowed: true };
}

/** @throws AppError `recordings.too-many` */
export function refuseTooMany(count: number, max = MAX_RECORDINGS): void {
  if (count <= max) return;
  const message = `the search matches ${count} recordings, the limit is ${max}: ask for fewer extensions or a shorter time`;
  throw new AppError('recordings.too-many', message);
}

/** What matches turned out to be when they were looked at where they lie. */
export interface Confirmed {
  /** In any order. One that is gone is among them with size 0: opening it says so, and the answer lists it. */
  readonly recordings: readonly Recording[];
  /** Keys under which nothing lies any more. */
  readonly gone: readonly string[];
}

/** Looks at matches where they lie: that they are there, and how large. */
export type Confirm = (matches: readonly Match<Candidate>[], signal: AbortSignal) => Promise<Confirmed>;

/** The order of a search's result. */
export function byTimeThenKey(a: Recording, b: Recording): number {
  if (a.startedAt !== b.startedAt) return a.startedAt < b.startedAt ? -1 : 1;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

import { createHash } from 'node:crypto';
import type { AuditEntry, AuditEvent } from './event.ts';

/** SHA-256 of a line without its line end, in lower-case hexadecimal. */
export function hashOf(line: string | Uint8Array): string {
  return createHash('sha256').update(line).digest('hex');
}

/** An event as the JSON of an entry that is not chained yet. */
export function entryText(at: string, node: string, event: AuditEvent): string {
  return JSON.stringify({ at, node, ...event });
}

/** The entry as a line after the one of this hash; null for the very first. It stands last, so that no detail takes its place. */
export function chained(entry: string, previous: string | null): string {
  return `${entry.slice(0, -1)},"prev":${JSON.stringify(previous)}}`;
}

/** A line as an entry; null where it is none. */
export function readEntry(line: string): AuditEntry | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null; // what is no JSON is no entry: the caller says so
  }
  const isEntry =
    typeof value === 'object' &&
    value !== null &&
    'at' in value &&
    'event' in value &&
    typeof value.at === 'string' &&
    typeof value.event === 'string';
  return isEntry ? (value as AuditEntry) : null;
}

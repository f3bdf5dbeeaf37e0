import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { ImapTrace, SentTrace } from './watch.ts';

/** When files of the spool came to their names: a write that is durable but for its directory's fsync. */
export interface SpoolTrace extends Disposable {
  readonly renames: { readonly name: string; readonly atMs: number }[];
}

/** Watches the `pending/` of a node from outside. */
export function watchSpool(stateDir: string): SpoolTrace {
  const renames: { name: string; atMs: number }[] = [];
  const watcher: FSWatcher = watch(join(stateDir, 'queue/pending'), (event, name) => {
    const isJob = name !== null && /^\d{12}-[0-9a-f]{64}\.json$/.test(name);
    if (event === 'rename' && isJob) renames.push({ name, atMs: performance.now() });
  });
  return { renames, [Symbol.dispose]: () => watcher.close() };
}

/** The way of one mail that came alone, as seen from outside the node; each stage begins where the last ended. */
export const STAGES = [
  ['heard', 'IDLE is ended, the new mail is listed'],
  ['read', 'the mail is fetched'],
  ['kept', 'it is decided on; the job is written, fsynced, renamed'],
  ['intent', 'its directory is fsynced; the intent is written, fsynced, renamed'],
  ['begun', 'its directory is fsynced; the mail is composed; MAIL FROM'],
  ['handed over', 'RCPT, DATA, the mail, the final dot'],
  ['taken', 'the SMTP server spools it and says 250'],
] as const;

export type Stages = Readonly<Record<(typeof STAGES)[number][0], number>>;

/** Milliseconds of each stage; null where an event was not seen. */
export function stagesOf(
  existsMs: number,
  imap: ImapTrace,
  spool: SpoolTrace,
  mail: SentTrace,
): Stages | null {
  const fetched = imap.events.filter(({ atMs, what }) => atMs >= existsMs && what === 'UID FETCH done');
  const [kept, intent] = spool.renames.filter(({ atMs }) => atMs >= existsMs);
  const [listed, read] = fetched;
  if (listed === undefined || read === undefined || kept === undefined || intent === undefined) return null;
  return {
    heard: listed.atMs - existsMs,
    read: read.atMs - listed.atMs,
    kept: kept.atMs - read.atMs,
    intent: intent.atMs - kept.atMs,
    begun: mail.beganMs - intent.atMs,
    'handed over': mail.dotMs - mail.beganMs,
    taken: mail.repliedMs - mail.dotMs,
  };
}

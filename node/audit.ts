import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from './platform/durable.ts';
import type { Clock } from './platform/clock.ts';

/** What happened, by a stable name: `request.accepted`, `mail.sent`, `recordings.delivered`. */
export interface AuditEvent {
  readonly event: string;
  readonly job?: string;
  readonly [detail: string]: unknown;
}

/** Who asked for what, and what was done and delivered. Never tokens, passwords or audio. */
export interface Audit {
  /** Resolves when the entry is on disk. */
  record(event: AuditEvent): Promise<void>;
}

/** An append-only file of JSON lines a month under `directory`, each entry fsynced, in the order of the calls. */
export async function openAudit(directory: string, nodeId: string, clock: Clock): Promise<Audit> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await syncDirectory(directory);
  let last: Promise<void> = Promise.resolve();

  const append = async (event: AuditEvent): Promise<void> => {
    const at = clock.now().toString({ smallestUnit: 'millisecond' });
    const file = await open(join(directory, `${at.slice(0, 7)}.jsonl`), 'a', 0o600);
    try {
      await file.appendFile(`${JSON.stringify({ at, node: nodeId, ...event })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  };
  return {
    record: (event) => {
      const mine = last.then(() => append(event));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

import { mkdir } from 'node:fs/promises';
import { beginningOf } from './audit/begin.ts';
import type { AuditEntry, AuditLog } from './audit/event.ts';
import { writeHeadDurable } from './audit/head.ts';
import { entriesSince, newestOf, pageOf } from './audit/query.ts';
import { verifyLog } from './audit/verify.ts';
import { AuditWriter } from './audit/writer.ts';
import type { Clock } from './platform/clock.ts';
import { syncDirectory } from './platform/durable.ts';
import { type Log, silentLog } from './platform/log.ts';

export type { Audit, AuditEvent, AuditFilter, AuditLog } from './audit/event.ts';

/** The log of a node, with what the node itself needs to know of its past. */
export interface OpenedAudit extends AuditLog {
  /** Entries of one kind since a time, the newest first. */
  since(event: string, since: Temporal.Instant): AsyncIterable<AuditEntry>;
}

/**
 * An append-only file of JSON lines a month under `directory`, each entry on disk when it counts, in the order of the
 * calls. Each line holds the SHA-256 of the one before, across files, and `head.json` names the last one: a line that
 * is changed, removed, added or moved is found by `verify`. Cuts off what a crash left of a last line. Where the last
 * entries are gone, the log goes on with one that says so (`audit.gap`).
 */
export async function openAudit(
  directory: string,
  nodeId: string,
  clock: Clock,
  log: Log = silentLog,
): Promise<OpenedAudit> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await syncDirectory(directory);
  const { head, gap } = await beginningOf(directory);
  const writer = new AuditWriter({ directory, nodeId, clock, log, head });
  if (gap !== null) {
    log.error('entries of the audit log are missing: node-ctl audit verify', {
      reason: String(gap['reason']),
    });
    await writer.record(gap);
  }
  await writeHeadDurable(directory, writer.head);
  return {
    record: (event) => writer.record(event),
    recordAll: (events) => writer.recordAll(events),
    page: (filter, after, limit, signal) => pageOf(directory, filter, after, limit, signal),
    newest: (filter, limit, signal) => newestOf(directory, filter, limit, signal),
    verify: (fromMonth, signal) => verifyLog(directory, writer, fromMonth, signal),
    since: (event, since) => entriesSince(directory, event, since),
  };
}

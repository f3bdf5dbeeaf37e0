import type { Audit, AuditEvent } from '../../node/audit.ts';

/** An audit log in memory. */
export interface MemoryAudit extends Audit {
  readonly events: AuditEvent[];
}

/** Keeps events in `events`; what `before` throws, the log throws. */
export function createMemoryAudit(
  events: AuditEvent[] = [],
  before: () => void = () => undefined,
): MemoryAudit {
  const recordAll = async (all: readonly AuditEvent[]): Promise<void> => {
    before();
    events.push(...all);
  };
  return { events, record: (event) => recordAll([event]), recordAll };
}

import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Audit } from './event.ts';

/** A player asks for a recording in many parts; so long they are one opening. */
const WINDOW_MS = 600_000;
/** Openings that are remembered; the oldest is forgotten. */
const MAX_KNOWN = 10_000;
const MAX_TOLD_LENGTH = 200;

/** A link that was opened: somebody gets the file, or a part of it. */
export interface Opening {
  readonly job: string;
  /** Of the file. */
  readonly name: string;
  /** Address of who asks: the proxy's, where there is one. */
  readonly client: string;
  /** What the proxy says of whom it asks for; without a proxy, anybody can write this. */
  readonly forwardedFor: string | null;
  readonly agent: string | null;
}

/** Puts openings of links into the audit log, once for each link and client within ten minutes. */
export function createLinkOpenings(audit: Audit, clock: Clock, log: Log) {
  /** When each opening was entered, by the monotonic clock; the oldest first. */
  const known = new Map<string, number>();
  return async ({ job, name, client, forwardedFor, agent }: Opening): Promise<void> => {
    const told = { client, forwardedFor: short(forwardedFor), agent: short(agent) };
    const key = JSON.stringify([job, name, told]);
    const nowMs = clock.monotonicMs();
    const before = known.get(key);
    if (before !== undefined && nowMs - before < WINDOW_MS) return;
    known.delete(key);
    known.set(key, nowMs);
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    try {
      await audit.record({ event: 'link.opened', job, name, ...told });
    } catch (error) {
      // Who was given a link is not to be turned away because a disk is full here; the log of the node has it.
      known.delete(key);
      const facts = { job: job.slice(0, 8), name, client, code: codeOf(error), reason: messageOf(error) };
      log.error('the opening of a link is missing in the audit log', facts);
    }
  };
}

function short(text: string | null): string | null {
  return text === null ? null : text.slice(0, MAX_TOLD_LENGTH).toWellFormed();
}

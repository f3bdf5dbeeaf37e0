import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Audit } from './event.ts';

/** A player asks for a recording in many parts; so long they are one opening. */
const WINDOW_MS = 600_000;
/** Openings that are remembered; the oldest is forgotten. */
const MAX_KNOWN = 10_000;
/** Clients of a delivery that are told apart within that time: what they say of themselves anybody can make up anew. */
const MAX_CLIENTS = 50;
/** Deliveries whose clients are counted; the oldest is forgotten. */
const MAX_COUNTED = 1_000;
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

/**
 * Puts openings of links into the audit log, once for each link and client within ten minutes; `count` is told of each
 * job of which one is entered. Past 50 clients of a delivery each of its links is entered once more, with `more`: nobody
 * who has one link can fill the disk with it.
 */
export function createLinkOpenings(
  audit: Audit,
  clock: Clock,
  log: Log,
  count: (job: string) => void = () => undefined,
) {
  /** When each opening was entered, by the monotonic clock; the oldest first. */
  const known = new Map<string, number>();
  const isCounted = countClients();
  return async ({ job, name, client, forwardedFor, agent }: Opening): Promise<void> => {
    const told = { client, forwardedFor: short(forwardedFor), agent: short(agent) };
    const nowMs = clock.monotonicMs();
    const isOneOfFew = isCounted(job, JSON.stringify(told), nowMs);
    const key = JSON.stringify(isOneOfFew ? [job, name, told] : [job, name]);
    const before = known.get(key);
    if (before !== undefined && nowMs - before < WINDOW_MS) return;
    known.delete(key);
    known.set(key, nowMs);
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    // Who was given a link is not to be turned away because a disk is full here; the log of the node has it.
    const missing = (where: string, error: unknown): void => {
      const facts = { job: job.slice(0, 8), name, client, code: codeOf(error), reason: messageOf(error) };
      log.error(`the opening of a link is missing in ${where}`, facts);
    };
    try {
      await audit.record({ event: 'link.opened', job, name, ...told, ...(isOneOfFew ? {} : { more: true }) });
    } catch (error) {
      known.delete(key);
      missing('the audit log', error);
      return;
    }
    try {
      count(job);
    } catch (error) {
      missing('the record of its delivery', error);
    }
  };
}

/** Whether a client is among those of its job that are told apart now. */
function countClients(): (job: string, client: string, nowMs: number) => boolean {
  const counted = new Map<string, { readonly sinceMs: number; readonly clients: Set<string> }>();
  return (job, client, nowMs) => {
    let ofJob = counted.get(job);
    if (ofJob === undefined || nowMs - ofJob.sinceMs >= WINDOW_MS) {
      ofJob = { sinceMs: nowMs, clients: new Set() };
      counted.delete(job);
      counted.set(job, ofJob);
      const [oldest] = counted.keys();
      if (counted.size > MAX_COUNTED && oldest !== undefined) counted.delete(oldest);
    }
    if (ofJob.clients.size < MAX_CLIENTS) ofJob.clients.add(client);
    return ofJob.clients.has(client);
  };
}

function short(text: string | null): string | null {
  return text === null ? null : text.slice(0, MAX_TOLD_LENGTH).toWellFormed();
}

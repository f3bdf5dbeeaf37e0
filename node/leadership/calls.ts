import type { Peer } from '../peer/peer.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Effect, Event } from './events.ts';

/** Failures after which the call may have been carried out all the same, or still be. */
const AMBIGUOUS = new Set(['peer.unreachable', 'peer.timeout', 'peer.bad-answer', 'rpc.failed']);

/** Asks the peer for its role; what it cannot say is an event too. */
export async function askPeer(peer: Peer, timeoutMs: number, signal: AbortSignal): Promise<Event> {
  try {
    const view = await peer.call('leadership.get', {}, { timeoutMs, signal });
    return { type: 'peer-answered', view };
  } catch (error) {
    return { type: 'peer-away', reason: reasonOf(error) };
  }
}

/** Calls `leadership.handoff` at the peer. */
export async function callPeer(
  peer: Peer,
  from: string,
  { kind, handoffId, term }: Extract<Effect, { do: 'call-peer' }>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Event> {
  try {
    const params = { kind, handoffId, from, term };
    const { grant, leadership } = await peer.call('leadership.handoff', params, { timeoutMs, signal });
    if (kind === 'offer') return { type: 'offer-taken', handoffId, term: leadership.term };
    if (grant !== null) return { type: 'granted', handoffId, grant };
    return { type: 'call-lost', handoffId, reason: 'the answer holds no grant' };
  } catch (error) {
    const reason = reasonOf(error);
    if (AMBIGUOUS.has(codeOf(error))) return { type: 'call-lost', handoffId, reason };
    return { type: 'call-refused', handoffId, busy: codeOf(error) !== 'leadership.refused', reason };
  }
}

/** Our own codes say all in their message; of others the code helps to find the cause. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return code.startsWith('leadership.') ? messageOf(error) : `${messageOf(error)} (${code})`;
}

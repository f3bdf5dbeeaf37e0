import type { PeerStatus } from '../../protocol/messages.ts';
import type { Peer } from '../peer/peer.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { PeerView } from './control-contract.ts';

/** Somebody waits at a terminal. */
const ASK_TIMEOUT_MS = 2_000;

export interface PeerViewOptions {
  readonly peerId: string;
  /** Null where PEER_RPC is off. */
  readonly peer: Peer | null;
  readonly clock: Clock;
  readonly ledgerBehind: number;
}

/** Asks the peer how it is, for whoever looks at both; a peer that does not answer is a part of the picture. */
export async function lookAtPeer({ peerId, peer, clock, ledgerBehind }: PeerViewOptions): Promise<PeerView> {
  const nothing = { status: null, lastAnswerAt: null, latencyMs: null, clockDifferenceMs: null };
  const about = { id: peerId, rpc: peer !== null, ledgerBehind };
  if (peer === null) return { ...about, ...nothing, error: null };
  const startedMs = clock.monotonicMs();
  try {
    const status = await peer.call('node.status', {}, { timeoutMs: ASK_TIMEOUT_MS });
    const latencyMs = clock.monotonicMs() - startedMs;
    const now = clock.now();
    const clockDifferenceMs = differenceMs(status, now, latencyMs);
    return { ...about, status, error: null, lastAnswerAt: now.toString(), latencyMs, clockDifferenceMs };
  } catch (error) {
    const lastAnswerAt = peer.contact().lastAnswerAt?.toString() ?? null;
    return { ...about, ...nothing, lastAnswerAt, error: `${messageOf(error)} (${codeOf(error)})` };
  }
}

/** The peer read its clock about half-way between question and answer (as NTP assumes, RFC 5905 section 8). */
function differenceMs(status: PeerStatus, now: Temporal.Instant, latencyMs: number): number {
  return Math.round(
    Temporal.Instant.from(status.now).epochMilliseconds - (now.epochMilliseconds - latencyMs / 2),
  );
}

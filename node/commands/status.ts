import type { SourceName } from '../../protocol/job.ts';
import type { PeerStatus } from '../../protocol/messages.ts';
import type { People } from '../access/people.ts';
import type { Answers } from '../mail/answers.ts';
import type { Peer } from '../peer/peer.ts';
import { codeOf } from '../platform/errors.ts';
import { statusMail } from '../replies/status.ts';
import { type Nothing, nothingSchema, parseBare } from './bare-grammar.ts';
import type { Command, JobContext } from './command.ts';

const CALL_TIMEOUT_MS = 3_000;

export interface StatusServices {
  readonly answers: Answers;
  readonly people: Pick<People, 'find'>;
  readonly timeZone: string;
  /** How this node is now. */
  readonly status: () => PeerStatus;
  /** Sources that requests can name here, whichever node serves them. */
  readonly sources: readonly SourceName[];
  /** Id of the other node; null for a node alone. */
  readonly peerId: string | null;
  /** Null where it cannot be asked. */
  readonly peer: Pick<Peer, 'call'> | null;
}

/** STATUS: whether requests are answered now; admins read what an operator would. */
export function createStatusCommand(services: StatusServices): Command<Nothing> {
  const { answers, people, timeZone, peerId } = services;
  return {
    keyword: 'STATUS',
    bare: true,
    schema: nothingSchema,
    example: () => 'STATUS',
    parse: (fields) => parseBare('STATUS', fields),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, _params, context) => {
      const own = services.status();
      const theirs = await askPeer(services, context);
      const { subject, requester } = job.request;
      const isAdmin = requester !== null && people.find(requester)?.role === 'admin';
      const served = new Set([...own.sources, ...(theirs?.sources ?? [])]);
      const sources = [...new Set([...services.sources, ...served])];
      const view = {
        ...{ subject, requester, jobId: job.id, timeZone },
        // This answer is one of those that are worked.
        lanes: own.queue.lanes.filter(({ lane }) => lane !== 'replies'),
        paused: own.queue.paused,
        sources: sources.map((name) => ({ name, reachable: served.has(name) })),
        peer: peerId === null ? null : { id: peerId, reachable: theirs !== null },
        operator: isAdmin ? operatorView(own) : null,
      };
      await answers.send(job, context, 'result', statusMail(view));
      return { kind: 'done', summary: isAdmin ? 'told an admin how the node is' : 'told how the service is' };
    },
  };
}

function operatorView({ nodeId, version, role, since, warnings }: PeerStatus) {
  return { nodeId, version, role, since: Temporal.Instant.from(since), warnings };
}

/** What the peer says of itself; null where it says nothing. */
async function askPeer({ peer }: StatusServices, { signal, log }: JobContext): Promise<PeerStatus | null> {
  try {
    return (await peer?.call('node.status', {}, { timeoutMs: CALL_TIMEOUT_MS, signal })) ?? null;
  } catch (error) {
    signal.throwIfAborted();
    log.info('the peer did not say how it is', { code: codeOf(error) });
    return null;
  }
}

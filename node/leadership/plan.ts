import type { LeadershipView } from '../../protocol/messages.ts';
import { CLOCK_SKEW_SECONDS } from '../peer/call-token.ts';
import type { Peer } from '../peer/peer.ts';
import type { Clock } from '../platform/clock.ts';
import { reasonOf } from './calls.ts';
import { ownNextTerm, roleOf, termOf } from './draft.ts';
import { isBound, mayHaveBeenRead } from './entering.ts';
import type { State } from './events.ts';
import type { Plan } from './ports.ts';
import { nextTerm } from './record.ts';

const ASK_MS = 3000;
const MS_PER_SECOND = 1000;

interface Seen {
  readonly view: LeadershipView | null;
  readonly obstacles: readonly string[];
}

/** What `promote` would do; nothing is changed, and the mailbox is not logged in to. */
export async function planPromotion(
  state: State,
  peer: Peer | null,
  clock: Clock,
  force: boolean,
): Promise<Plan> {
  const { nodeId, peerId, askable } = state.self;
  if (roleOf(state) === 'master') return { steps: [], obstacles: [`${nodeId} is master already`] };
  const obstacles = isBound(state.doing) ? ['another change of role is being carried out'] : [];
  const opens = (term: number): string[] => [
    `${nodeId} writes down that it is master of term ${term}`,
    `${nodeId} opens the mailbox (its login is not tested here)`,
  ];
  const ownTerm = ownNextTerm({ state, effects: [], at: '' });
  const rescan = `${nodeId} looks at the mails of the last days again: in the ledger skipped, unread taken, read but unknown put in doubt`;
  if (peerId === null) {
    const first = mayHaveBeenRead(state) ? [rescan] : [];
    return { steps: [...first, ...opens(termOf(state) + 1)], obstacles };
  }
  if (peer === null || !askable) {
    const needsForce = force ? [] : [`${peerId} cannot be asked (PEER_RPC=off): --force is needed`];
    return { steps: [rescan, ...opens(ownTerm)], obstacles: [...obstacles, ...needsForce] };
  }
  const seen = await look(peer, clock);
  if (force) {
    const answers =
      seen.view === null ? [] : [`${peerId} answers, so --force is refused: promote without it`];
    return { steps: [rescan, ...opens(ownTerm)], obstacles: [...obstacles, ...answers] };
  }
  const above = Math.max(termOf(state), seen.view?.term ?? 0);
  return {
    steps: [...givingSteps(peerId, nodeId), ...opens(nextTerm(above, nodeId, peerId))],
    obstacles: [...obstacles, ...seen.obstacles],
  };
}

/** What `demote` would do. */
export async function planDemotion(state: State, peer: Peer | null, clock: Clock): Promise<Plan> {
  const { nodeId, peerId } = state.self;
  if (roleOf(state) !== 'master') return { steps: [], obstacles: [`${nodeId} is not master`] };
  if (peer === null || peerId === null) {
    const steps = [
      `${nodeId} finishes the mail in hand and closes the mailbox`,
      `${nodeId} writes down that it is slave; nobody reads the mailbox then`,
    ];
    return { steps, obstacles: [] };
  }
  const seen = await look(peer, clock);
  const above = Math.max(termOf(state), seen.view?.term ?? 0);
  const term = nextTerm(above, peerId, nodeId);
  return {
    steps: [
      `${nodeId} asks ${peerId} to take over`,
      ...givingSteps(nodeId, peerId),
      `${peerId} writes down that it is master of term ${term}`,
      `${peerId} opens the mailbox (its login is not tested here)`,
    ],
    obstacles: seen.obstacles,
  };
}

function givingSteps(giver: string, taker: string): string[] {
  return [
    `${giver} finishes the mail in hand (at most 5 s) and closes the mailbox, if it has it open; its queue goes on`,
    `${giver} sends ${taker} the rest of its ledger`,
    `${giver} writes down that the mastership is ${taker}'s, and says so`,
  ];
}

/** Whether the peer is there, what it is, and whether its clock lets the two talk. */
async function look(peer: Peer, clock: Clock): Promise<Seen> {
  try {
    const view = await peer.call('leadership.get', {}, { timeoutMs: ASK_MS });
    const status = await peer.call('node.status', {}, { timeoutMs: ASK_MS });
    const apartMs = Temporal.Instant.from(status.now).epochMilliseconds - clock.now().epochMilliseconds;
    const apart = Math.abs(apartMs) / MS_PER_SECOND;
    const obstacles: string[] = [];
    if (view.role === 'draining') obstacles.push(`${peer.id} is handing over already`);
    if (apart > CLOCK_SKEW_SECONDS / 2) {
      obstacles.push(
        `the clock of ${peer.id} is ${Math.round(apart)} s away; from ${CLOCK_SKEW_SECONDS} s on calls are refused`,
      );
    }
    return { view, obstacles };
  } catch (error) {
    return { view: null, obstacles: [`${peer.id} does not answer: ${reasonOf(error)}`] };
  }
}

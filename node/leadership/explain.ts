import { holdsMastership, termOf } from './draft.ts';
import type { State } from './events.ts';

/**
 * What is going on about the mastership, why, and what to do, as sentences for `node-ctl status`; none where all is
 * as it should be.
 */
export function explainState(state: State): string[] {
  const sentences = [underWay(state), aftermath(state)].filter((one) => one !== null);
  if (state.fault !== null) {
    sentences.push(`the role record cannot be written (${state.fault}): look at the disk of this node`);
  }
  return sentences;
}

function underWay(state: State): string | null {
  const { doing, self, handoffs, peer } = state;
  const stands = (id: string): string => handoffs.find((one) => one.id === id)?.sentence ?? '';
  switch (doing?.kind) {
    case 'starting':
      return `master by its record; asking ${self.peerId} before the mailbox is opened (at most 5 s)`;
    case 'first':
      return (
        `MODE=master and no role yet: the word of ${self.peerId} is needed, so nobody reads the mailbox` +
        `${peer.away === null ? '' : ` (${peer.away})`}. Start ${self.peerId} and pair the two (node-ctl pair); ` +
        'only if it surely does not run: node-ctl promote --force'
      );
    case 'taking':
    case 'forcing':
    case 'offering':
      return `handoff ${doing.handoffId} is in progress: ${stands(doing.handoffId)}`;
    case 'entering':
      return `becoming master of term ${doing.record.term}`;
    case 'giving':
      return `handing over to ${doing.to} (handoff ${doing.handoffId}): ${GIVING[doing.phase]}`;
    case 'leaving':
      return 'closing the mailbox';
    default:
      return null;
  }
}

const GIVING = {
  closing: 'finishing the mail in hand',
  sending: 'sending the rest of the ledger',
  persisting: 'writing the grant down',
} as const;

/** What the last change of role has left open. */
function aftermath(state: State): string | null {
  const { record, self, doing, peer, outranked, successorSeen } = state;
  if (outranked) return `forced out by ${self.peerId}, which has a later term; the mailbox is closed`;
  if (record === null || (doing !== null && doing.kind !== 'offering')) return null;
  if (holdsMastership(state)) {
    const seen = peer.view !== null && peer.view.role !== 'master' && peer.view.term >= record.term;
    if (record.how !== 'forced' || seen) return null;
    return (
      `master of term ${record.term} by force since ${record.since}, and ${self.peerId} has not been seen since: ` +
      'if it runs, both read the mailbox until the first contact. Bring the link back'
    );
  }
  if (record.grant !== null && !successorSeen) {
    return (
      `gave the mastership of term ${record.term} to ${record.grant.to} and has not seen it as master since` +
      `${peer.away === null ? '' : ` (${peer.away})`}: it takes that up at the next contact. ` +
      `If ${record.grant.to} surely does not run: node-ctl promote --force here`
    );
  }
  return slaveAlone(state);
}

function slaveAlone(state: State): string | null {
  const { record, self, peer } = state;
  if (self.peerId === null) return 'nobody reads the mailbox: node-ctl promote makes this node master';
  if (!self.askable) return null; // the Python side reads it, and cannot be asked
  if (peer.away !== null) {
    return (
      `${self.peerId} does not answer (${peer.away}), so it is not known whether somebody reads the mailbox. ` +
      'Bring it or the link back; only if it surely does not run: node-ctl promote --force'
    );
  }
  if (peer.view?.role === 'slave' && peer.view.grant?.to !== self.nodeId) {
    return `neither node is master (term ${termOf(state)}): run node-ctl promote on the one that is to read the mailbox`;
  }
  if (record?.how === 'fenced') {
    return `was forced out by ${self.peerId} at ${record.at}; mails that both took are settled by the ledger (node-ctl doubt list)`;
  }
  return null;
}

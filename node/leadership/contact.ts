import type { LeadershipView } from '../../protocol/messages.ts';
import { setDoing, type Draft, giveUp, note, rest, say, settle, slaveRecord, termOf } from './draft.ts';
import { enterAlone, enterByForce, enterByGrant, isTakeable, request } from './entering.ts';
import { fence } from './giving.ts';
import { sortsFirst } from './record.ts';
import type { Doing, State } from './events.ts';

/** What a node does at its start, and again where its first record could not be written. */
export function begin(draft: Draft): void {
  const { self, record } = draft.state;
  if (record === null) {
    if (self.mode === 'slave') {
      note(draft, slaveRecord(draft, { term: 0, master: null, grant: null, how: 'first', handoffId: null }));
    } else if (!self.askable) {
      return enterAlone(draft, null, self.peerId === null ? 'alone' : 'first');
    } else {
      rest(draft);
      say(draft, 'info', `MODE=master and no role yet: asking ${self.peerId} whether it is master`);
    }
  } else {
    if (record.role !== self.mode) {
      say(draft, 'info', `MODE=${self.mode} was only the first role: the role record says ${record.role}`);
    }
    if (!self.askable) setDoing(draft, null);
  }
  if (self.askable) draft.effects.push({ do: 'ask-peer' });
}

/** Where nobody can be asked, time alone moves things. */
export function ticked(draft: Draft): void {
  mendDisk(draft);
}

/** Writes what could not be written: the first record, or the one that counts over one that was given up. */
function mendDisk(draft: Draft): void {
  const { record, doing, diskUnsure, outranked, peer, self } = draft.state;
  if (doing !== null) return;
  if (record === null) begin(draft);
  else if (outranked) {
    // What could not be written is that it was forced out: the record it goes by is the peer's mastership by now.
    const term = Math.max(termOf(draft.state), peer.view?.term ?? 0);
    const fields = { term, master: self.peerId, grant: null, how: 'fenced', handoffId: null } as const;
    note(draft, slaveRecord(draft, fields));
  } else if (diskUnsure) note(draft, record);
}

/** What the peer says of itself: the one thing that settles whatever was left open. */
export function peerAnswered(draft: Draft, view: LeadershipView): void {
  if (view.nodeId !== draft.state.self.peerId) {
    return peerAway(draft, `who answers calls itself ${view.nodeId}`);
  }
  draft.state = { ...draft.state, peer: { view, away: null } };
  if (isWriting(draft.state.doing)) return; // the next answer comes soon enough
  const under = draft.state.doing;
  if (isTakeable(draft, view.grant)) {
    // One that is being given away goes on in a term after this grant's; to step back from both would leave no master.
    if (under?.kind === 'giving') return;
    return enterByGrant(draft, view.grant);
  }
  if (holdsRecord(draft.state) && outranks(draft.state, view)) return fence(draft, view.term);
  switch (under?.kind) {
    case 'starting':
      setDoing(draft, null);
      say(
        draft,
        'info',
        `${view.nodeId} is ${view.role}: the mastership of term ${termOf(draft.state)} stands`,
      );
      break;
    case 'first':
      firstMeets(draft, view, under.handoffId);
      break;
    case 'taking':
      takerMeets(draft, view, under);
      break;
    case 'forcing':
      giveUp(draft, `${view.nodeId} answers (it is ${view.role}): run node-ctl promote without --force`);
      rest(draft);
      break;
    case 'offering':
      if (under.phase === 'unsure' && view.role !== 'candidate') {
        giveUp(draft, `${view.nodeId} has not taken over (it is ${view.role}); try again`, true);
      }
      break;
    case undefined:
      idleMeets(draft, view);
      break;
    case 'entering':
    case 'noting':
    case 'leaving':
    case 'giving':
      break;
  }
}

/** The peer does not answer. Nothing is concluded from that but what an operator asked for. */
export function peerAway(draft: Draft, reason: string): void {
  const { self, peer, doing: under } = draft.state;
  draft.state = { ...draft.state, peer: { ...peer, away: reason } };
  mendDisk(draft);
  if (under?.kind === 'starting') {
    setDoing(draft, null);
    say(
      draft,
      'warn',
      `${self.peerId} does not answer (${reason}): the role record is proof enough of term ${termOf(draft.state)}`,
    );
  } else if (under?.kind === 'forcing') {
    enterByForce(draft, [under.handoffId]);
  } else if (under?.kind === 'taking' && under.phase === 'asking') {
    giveUp(
      draft,
      `${self.peerId} does not answer (${reason}): bring it or the link back; only if it surely does not run, node-ctl promote --force`,
    );
    rest(draft);
  } else if (under?.kind === 'offering' && under.phase === 'unsure') {
    giveUp(draft, `${self.peerId} does not answer (${reason}): ${self.nodeId} stays master`, true);
  }
}

/** MODE=master at its first start has the peer's word: either that is master, or it can give the first term. */
function firstMeets(draft: Draft, view: LeadershipView, handoffId: string): void {
  const { self } = draft.state;
  if (isMaster(view)) {
    const { term, nodeId: master } = view;
    note(draft, slaveRecord(draft, { term, master, grant: null, how: 'first', handoffId: null }));
    say(
      draft,
      'warn',
      `${master} is master: this node is slave. MODE=master is only the first role; node-ctl promote changes it`,
    );
  } else if (!view.first || sortsFirst(self.nodeId, view.nodeId)) {
    request(draft, 'first', handoffId);
  }
}

function takerMeets(draft: Draft, view: LeadershipView, under: Extract<Doing, { kind: 'taking' }>): void {
  if (under.phase === 'asking') return request(draft, 'take', under.handoffId);
  if (under.phase === 'requested' || view.role === 'draining') return;
  giveUp(draft, `${view.nodeId} did not hand over (it is ${view.role}); try again`, true);
  rest(draft);
}

/** Nothing under way: notes what has changed at the peer. */
function idleMeets(draft: Draft, view: LeadershipView): void {
  const { record, diskUnsure } = draft.state;
  if (record === null || diskUnsure) return mendDisk(draft);
  if (record.role === 'master') return;
  const { grant } = record;
  if (grant !== null && isMaster(view) && view.term >= grant.term) {
    const { term, nodeId } = view;
    const sentence = `${nodeId} is master of term ${term}`;
    settle(draft, grant.handoffId, { state: 'done', term, sentence });
    if (!draft.state.successorSeen) say(draft, 'info', sentence);
    draft.state = { ...draft.state, successorSeen: true };
  }
  if (view.term > termOf(draft.state)) {
    const master = isMaster(view) ? view.nodeId : null;
    note(draft, slaveRecord(draft, { term: view.term, master, grant: null, how: 'seen', handoffId: null }));
    say(draft, 'info', `${view.nodeId} is ${view.role} in term ${view.term}`);
  }
}

/** Whether the peer has the mastership, also while it gives it away. */
function isMaster({ role }: LeadershipView): boolean {
  return role === 'master' || role === 'draining';
}

/** A write to this node's disk is under way: its end decides first. */
function isWriting(under: Doing | null): boolean {
  if (under?.kind === 'giving' || under?.kind === 'leaving') return under.phase === 'persisting';
  return under?.kind === 'entering' || under?.kind === 'noting';
}

/** Whether this node has the mastership by its record, also where that has only been overtaken in memory. */
function holdsRecord(state: State): boolean {
  return state.record?.role === 'master';
}

/**
 * Whether the peer's term is later than this master's. Equal terms are possible only where both were masters alone
 * before they became a pair: then the one that sorts first stays.
 */
function outranks(state: State, view: LeadershipView): boolean {
  const { nodeId } = state.self;
  if (view.term !== termOf(state)) return view.term > termOf(state);
  if (state.outranked) return true;
  return view.grant === null && isMaster(view) && sortsFirst(view.nodeId, nodeId);
}

import { randomUUID } from 'node:crypto';
import type { RpcParams, RpcResult } from '../../protocol/methods.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { inTime } from '../platform/in-time.ts';
import { createExecutor } from './executor.ts';
import type { Answer, Effect, Event, Handoff, State } from './events.ts';
import { explainState } from './explain.ts';
import { planDemotion, planPromotion } from './plan.ts';
import { type ActResult, type Leadership, type LeadershipOptions, TIMING } from './ports.ts';
import { initialState, reduce, roleOf, viewOf } from './state.ts';
import { createWaiting } from './waiting.ts';

export type { ActResult, HandoverLedger, Leadership, LeadershipOptions, Plan } from './ports.ts';

/** Carries the reducer's effects out; all decisions are in `state.ts`. */
export function createLeadership(options: LeadershipOptions): Leadership {
  const { store, peer, clock, log, newId = randomUUID } = options;
  const timing = { ...TIMING, ...options.timing };
  const self = { ...options.self, askable: peer !== null };
  const startedAt = clock.now().toString({ smallestUnit: 'millisecond' });
  let state: State = initialState(self, store.current(), newId());
  let running = false;
  /** Calls of the peer, and operators, that wait for a handoff. */
  const answers = createWaiting<Answer>();
  const settled = createWaiting<Handoff>();

  const dispatch = (event: Event): void => {
    const reduced = reduce(state, event, clock.now().toString({ smallestUnit: 'millisecond' }));
    state = reduced.state;
    for (const effect of reduced.effects) carryOut(effect);
    for (const handoff of state.handoffs) {
      if (handoff.state !== 'in-progress') settled.tell(handoff.id, handoff);
    }
  };
  const executor = createExecutor({
    ...options,
    self,
    timing,
    state: () => state,
    onEvent: (event) => {
      if (running) dispatch(event);
    },
  });

  const carryOut = (effect: Effect): void => {
    switch (effect.do) {
      case 'answer':
        answers.tell(effect.handoffId, effect.answer);
        break;
      case 'say':
        log[effect.level](effect.sentence);
        break;
      case 'alert':
        log.warn(effect.sentence);
        options.alert(effect.kind, effect.sentence, effect.term).catch((error: unknown) => {
          log.error('the admin could not be told', { reason: messageOf(error) });
        });
        break;
      default:
        executor.run(effect);
    }
  };

  /** Gives the wish to the reducer and waits for its end, within the bound. */
  const act = async (
    event: Extract<Event, { type: 'promote' | 'demote' }>,
    waitMs: number,
  ): Promise<ActResult> => {
    if (!running) throw stopped();
    const { handoffId } = event;
    const waiting = settled.for(handoffId);
    dispatch(event);
    try {
      const end = await inTime(clock, waitMs, waiting.promise);
      const handoff = end ?? state.handoffs.find(({ id }) => id === handoffId);
      const { term = null, sentence: message = '', state: kind = 'in-progress' } = handoff ?? {};
      return { kind, handoffId, term, message };
    } finally {
      waiting.forget();
    }
  };

  /** The peer's `leadership.handoff`: waits for the reducer's answer, which every step of it is bound to give. */
  const handoff = async (
    params: RpcParams<'leadership.handoff'>,
    caller: string | null,
  ): Promise<RpcResult<'leadership.handoff'>> => {
    if (!running) throw stopped();
    const { handoffId, kind, from, term } = params;
    if (caller !== from) {
      throw new AppError('leadership.refused', `the call says ${from}, and its certificate ${caller}`);
    }
    const waiting = answers.for(handoffId);
    dispatch({ type: 'asked', kind, handoffId, from, term });
    try {
      const answer = await inTime(clock, timing.operatorMs, waiting.promise);
      if (answer === null) throw new AppError('leadership.busy', 'it takes longer than it should; ask again');
      if (!answer.ok) throw new AppError(answer.code, answer.message);
      return { grant: answer.grant, leadership: viewOf(state, startedAt) };
    } finally {
      waiting.forget();
    }
  };

  return {
    start: async () => {
      running = true;
      dispatch({ type: 'started' });
      executor.start();
    },
    stop: async () => {
      running = false;
      answers.fail(stopped());
      settled.fail(stopped());
      await executor.stop();
    },
    view: () => viewOf(state, startedAt),
    explain: () => explainState(state),
    master: () => roleOf(state) === 'master',
    promote: async ({ force, confirm, waitMs = timing.operatorMs }) => {
      if (force && self.peerId !== null && confirm !== self.peerId) {
        const message = `--force needs the name of the node that is overruled, ${self.peerId}; nothing was changed`;
        return { kind: 'refused', handoffId: null, term: null, message };
      }
      const bound = Math.min(waitMs, timing.operatorMs);
      return act({ type: 'promote', handoffId: newId(), force }, bound);
    },
    demote: async ({ waitMs = timing.operatorMs } = {}) =>
      act({ type: 'demote', handoffId: newId() }, Math.min(waitMs, timing.operatorMs)),
    planPromote: ({ force }) => planPromotion(state, peer, clock, force),
    planDemote: () => planDemotion(state, peer, clock),
    handoff: (id) => state.handoffs.find((one) => one.id === id) ?? fromHistory(store.history(), id),
    history: store.history,
    handlers: {
      'leadership.get': async () => viewOf(state, startedAt),
      'leadership.handoff': (params, { caller }) => handoff(params, caller),
    },
  };
}

/** A handoff of an earlier run of the process, as the role records tell of it. */
function fromHistory(
  records: ReturnType<Leadership['history']>,
  id: string,
): ReturnType<Leadership['handoff']> {
  const record = records.findLast(({ handoffId }) => handoffId === id);
  if (record === undefined) return null;
  const { role, term, nodeId, grant, at } = record;
  const sentence =
    role === 'master'
      ? `${nodeId} became master of term ${term}`
      : `${nodeId} gave the mastership of term ${term} to ${grant?.to ?? 'nobody'}`;
  return { id, state: 'done', term, sentence, at };
}

function stopped(): AppError {
  return new AppError('leadership.busy', 'the node is stopping', { retriable: true });
}

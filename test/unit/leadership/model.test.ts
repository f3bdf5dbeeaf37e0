import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grant } from '../../../protocol/messages.ts';
import type { Effect, State } from '../../../node/leadership/events.ts';
import { nextTerm, type RoleRecord } from '../../../node/leadership/record.ts';
import { reduce, roleOf } from '../../../node/leadership/state.ts';
import { Pair, type Reducer, Violation } from './pair-model.ts';

const RUNS = 2000;
const STEPS = { minLength: 20, maxLength: 250, size: 'max' } as const;

interface Schedule {
  readonly modes: readonly ['master' | 'slave', 'master' | 'slave'];
  readonly force: boolean;
  readonly calm: number;
  readonly steps: readonly number[];
}

const mode = fc.constantFrom('master' as const, 'slave' as const);
const schedules: fc.Arbitrary<Schedule> = fc.record({
  modes: fc.tuple(mode, mode),
  force: fc.boolean(),
  calm: fc.integer({ min: 1, max: 16 }),
  steps: fc.array(fc.nat(), STEPS),
});

/** Found by chance, once in some hundred thousand: a take, a kill of the giver, a force, a kill, and a take the other way. */
const GRANTED_AND_ASKED: Schedule = {
  modes: ['master', 'slave'],
  force: true,
  calm: 4,
  steps: [
    ...[0, 1709271846, 951362050, 0, 814237826, 493971429, 1790978292, 634642035, 1184081387, 244035572],
    ...[918824518, 1627913331, 0, 0, 1586895553, 634761820, 1971512363, 0, 0, 1214622334, 1102710316],
    ...[1327732327, 0, 0, 391644146, 530997563, 0, 0, 0, 0, 569383806, 0, 0, 0, 808214872, 65797989, 0],
    ...[1671727702, 0, 665700431, 1285882222, 0],
  ],
};

/** Plays a schedule to its end. @throws what was violated, with all that led to it */
function play({ steps, ...options }: Schedule, reducer: Reducer): Pair {
  const pair = new Pair({ ...options, reduce: reducer });
  try {
    for (const step of steps) pair.step(step);
    pair.settle();
  } catch (error) {
    throw new Error([error, ...pair.trace].join('\n'), { cause: error });
  }
  return pair;
}

/** What unforced schedules find a broken reducer out by; null where they do not. */
function found(reducer: Reducer): string | null {
  const property = fc.property(schedules, (schedule) => {
    play({ ...schedule, force: false }, reducer);
  });
  const result = fc.check(property, { numRuns: RUNS, endOnFailure: true });
  return result.failed ? ((result.errorInstance as Error).message.split('\n')[0] ?? '') : null;
}

/** The reducer with other effects than it should have. */
function withEffects(change: (effects: readonly Effect[], after: State, before: State) => Effect[]): Reducer {
  return (before, event, at) => {
    const { state, effects } = reduce(before, event, at);
    return { state, effects: change(effects, state, before) };
  };
}

function changedRecord(effect: Effect, change: (record: RoleRecord) => RoleRecord): Effect {
  return effect.do === 'persist' ? { ...effect, record: change(effect.record) } : effect;
}

/** The grant that is only now being written, if one is. */
function unwritten({ doing }: State) {
  return doing?.kind === 'giving' && doing.phase === 'persisting' ? doing : null;
}

describe('two nodes, whatever happens to messages, disks and processes', () => {
  test('have one master a term, one open inbox unless forced, and one master soon after contact', () => {
    fc.assert(
      fc.property(schedules, (schedule) => {
        for (const [disk, known] of play(schedule, reduce).records()) expect(disk).toBe(known);
      }),
      { numRuns: RUNS },
    );
  });

  test('have a master where one that was forced gives away what it was granted meanwhile, and both died in between', () => {
    const pair = play(GRANTED_AND_ASKED, reduce);
    expect(pair.records().map(([disk]) => disk?.term)).toEqual([4, 4]);
  });

  test('are not masters again of a term that they were forced out of, while they run', () => {
    const watched: Reducer = (before, event, at) => {
      const reduced = reduce(before, event, at);
      const { record } = reduced.state;
      const again = before.outranked && roleOf(reduced.state) === 'master';
      if (again && record?.term === before.record?.term)
        throw new Violation(`master again of ${record?.term}`);
      return reduced;
    };
    fc.assert(
      fc.property(schedules, (schedule) => void play({ ...schedule, force: true, calm: 2 }, watched)),
      { numRuns: RUNS },
    );
  });

  test('go through everything that can happen to them in these schedules', () => {
    const seen = new Map<string, number>();
    for (const schedule of fc.sample(schedules, { numRuns: 1000, seed: 3 })) {
      const count: Reducer = (before, event, at) => {
        const reduced = reduce(before, event, at);
        const { record, doing } = reduced.state;
        if (record !== before.record) seen.set(`${record?.how}`, (seen.get(`${record?.how}`) ?? 0) + 1);
        const under = doing === null ? 'idle' : `${doing.kind} ${'phase' in doing ? doing.phase : ''}`.trim();
        seen.set(under, (seen.get(under) ?? 0) + 1);
        return reduced;
      };
      play(schedule, count);
    }
    const wanted = [
      ...['first', 'handoff', 'forced', 'granted', 'fenced', 'seen'],
      ...['starting', 'first', 'taking asking', 'taking requested', 'taking unsure', 'forcing'],
      ...['entering preparing', 'entering persisting', 'noting'],
      ...['giving closing', 'giving sending', 'giving persisting', 'offering sent', 'offering unsure'],
    ];
    expect(wanted.filter((what) => (seen.get(what) ?? 0) < 30)).toEqual([]);
  });
});

describe('the same schedules, without any force, find out a reducer', () => {
  test('whose grant is not durable', () => {
    const forgets = withEffects((effects, _after, before) =>
      effects.map((effect) =>
        changedRecord(effect, (record) => (record.grant === null ? record : (before.record ?? record))),
      ),
    );
    expect(found(forgets)).toMatch(/two open inboxes|two masters|[02] masters/);
  });

  test('that answers before the grant is on disk', () => {
    const hasty = withEffects((effects, after) => {
      const giving = unwritten(after);
      if (giving === null || !effects.some((effect) => effect.do === 'persist')) return [...effects];
      const answer = { ok: true, grant: giving.record.grant } as const;
      return [...effects, { do: 'answer', handoffId: giving.handoffId, answer }];
    });
    expect(found(hasty)).toMatch(/two open inboxes|two masters|[02] masters/);
  });

  test('that does not raise the term', () => {
    const stays: Reducer = (before, event, at) => {
      const { state, effects } = reduce(before, event, at);
      const giving = unwritten(state);
      if (giving === null) return { state, effects };
      const term = before.record?.term ?? 0;
      const record = { ...giving.record, term, grant: { ...giving.record.grant, term } };
      return {
        state: { ...state, doing: { ...giving, record } },
        effects: effects.map((effect) => changedRecord(effect, () => record)),
      };
    };
    expect(found(stays)).toMatch(/two open inboxes|two masters|[02] masters/);
  });

  test('that opens the inbox before its mastership is on disk', () => {
    const hasty = withEffects((effects) =>
      effects.flatMap((effect) =>
        effect.do === 'persist' && effect.record.role === 'master'
          ? [effect, { do: 'open-inbox' }]
          : [effect],
      ),
    );
    expect(found(hasty)).toBe('Violation: opened without a record');
  });

  test('that hands over while its inbox is still open', () => {
    const hasty: Reducer = (before, event, at) => {
      const { state, effects } = reduce(before, event, at);
      const begins = before.doing?.kind !== 'giving' && state.doing?.kind === 'giving';
      if (!begins || state.doing.phase !== 'closing') return { state, effects };
      const { ticket } = state.doing;
      const next = reduce(state, { type: 'inbox-closed', ticket }, at);
      return { state: next.state, effects: [...effects, ...next.effects] };
    };
    // The word that the inbox did not close in time may come first, in the middle of the write, and what follows is open.
    expect(found(hasty)).toMatch(/two open inboxes|two writes at once|[02] masters/);
  });

  test('that takes a grant which came too late', () => {
    const fresh = (grant: Grant, { self, record }: State): Grant => {
      const late = grant.to === self.nodeId && grant.term <= (record?.term ?? 0);
      return late ? { ...grant, term: nextTerm(record?.term ?? 0, self.nodeId, self.peerId) } : grant;
    };
    const credulous: Reducer = (before, event, at) => {
      if (event.type === 'granted') {
        return reduce(before, { ...event, grant: fresh(event.grant, before) }, at);
      }
      if (event.type !== 'peer-answered' || event.view.grant === null) return reduce(before, event, at);
      const view = { ...event.view, grant: fresh(event.view.grant, before) };
      return reduce(before, { ...event, view }, at);
    };
    expect(found(credulous)).toMatch(/two open inboxes|two masters|[02] masters/);
  });
});

import { describe, expect, test } from 'vitest';
import { explainState } from '../../../node/leadership/explain.ts';
import { nextTerm } from '../../../node/leadership/record.ts';
import { viewOf } from '../../../node/leadership/state.ts';
import { answered, AT, AWAY, grant, ID, MASTER, OTHER_ID, record, story, WATERMARK } from './story.ts';

const PROMOTE = { type: 'promote', handoffId: ID, force: false } as const;
const FORCE = { type: 'promote', handoffId: ID, force: true } as const;
const DEMOTE = { type: 'demote', handoffId: ID } as const;
const TAKE = { type: 'asked', kind: 'take', handoffId: ID, from: 'audio2', term: 4 } as const;
const OFFER = { type: 'asked', kind: 'offer', handoffId: ID, from: 'audio2', term: 3 } as const;

/** A master whose peer has answered at the start. */
function master() {
  const it = story(MASTER, { mode: 'master' });
  it.tell({ type: 'started' }, answered());
  return it;
}
function slave() {
  const it = story(record());
  it.tell({ type: 'started' }, answered({ role: 'master' }));
  return it;
}

describe('terms', () => {
  test('belong to one node each: even ones to the id that sorts first', () => {
    expect([0, 1, 2, 3].map((above) => nextTerm(above, 'audio', 'audio2'))).toEqual([2, 2, 4, 4]);
    expect([0, 1, 2, 3].map((above) => nextTerm(above, 'audio2', 'audio'))).toEqual([1, 3, 3, 5]);
  });
});

describe('a start', () => {
  test('of a slave without a record writes one down', () => {
    const it = story(null);
    expect(it.names({ type: 'started' })).toEqual(['persist slave 0 first', 'ask-peer']);
    expect(it.end('persisted')).toEqual([]);
    expect(it.role()).toBe('slave');
  });

  test('of a slave by its record asks its peer, whatever MODE says', () => {
    const it = story(record(), { mode: 'master' });
    expect(it.names({ type: 'started' })).toEqual(['ask-peer']);
    expect(it.role()).toBe('slave');
  });

  test('of a master opens the inbox only after the peer was asked', () => {
    const it = story(MASTER);
    expect(it.names({ type: 'started' })).toEqual(['ask-peer']);
    expect(it.role()).toBe('candidate');
    expect(it.names(answered())).toEqual(['open-inbox']);
    expect(it.role()).toBe('master');
  });

  test('of a master whose peer does not answer goes by the record', () => {
    const it = story(MASTER);
    expect(it.names({ type: 'started' }, AWAY)).toEqual(['ask-peer', 'open-inbox']);
  });

  test('of a master that was forced out meanwhile never opens the inbox', () => {
    const it = story(MASTER);
    expect(it.names({ type: 'started' }, answered({ role: 'master', term: 5 }))).toEqual([
      'ask-peer',
      'persist slave 5 fenced',
    ]);
    expect(it.role()).toBe('fenced');
    expect(it.end('persisted')).toEqual([]);
    expect(it.role()).toBe('slave');
  });

  test('of a master from which the peer takes over at that moment hands over', () => {
    const it = story(MASTER);
    it.tell({ type: 'started' });
    expect(it.names(TAKE)).toEqual(['close-inbox']);
    expect(it.end('inbox-closed')).toEqual(['send-tail']);
    expect(it.sent()).toEqual(['persist slave 5 granted to audio2']);
    expect(it.end('persisted')).toEqual(['answer grant 5']);
  });
});

describe('the first role', () => {
  test('of a node alone is MODE', () => {
    const it = story(null, { mode: 'master', peerId: null, askable: false });
    expect(it.names({ type: 'started' })).toEqual(['persist master 1 alone']);
    expect(it.end('persisted')).toEqual(['open-inbox']);
  });

  test('beside a peer that cannot be asked is MODE, by the rule for mails that a Python node may have had', () => {
    const it = story(null, { mode: 'master', askable: false });
    expect(it.names({ type: 'started' })).toEqual(['require-rescan']);
    expect(it.end('prepared')).toEqual(['persist master 2 first']);
  });

  test('that could not be written is tried again', () => {
    const it = story(null, { mode: 'master', peerId: null, askable: false });
    it.tell({ type: 'started' });
    expect(it.fail('persist-failed')).toEqual([]);
    expect(explainState(it.state()).join()).toContain('it went wrong');
    expect(it.names({ type: 'tick' })).toEqual(['persist master 1 alone']);
    expect(it.end('persisted')).toEqual(['open-inbox']);
    expect(explainState(it.state())).toEqual([]);
  });

  test('as master needs the word of the peer', () => {
    const it = story(null, { mode: 'master' });
    expect(it.names({ type: 'started' }, AWAY, AWAY)).toEqual(['ask-peer']);
    expect(it.role()).toBe('candidate');
    expect(viewOf(it.state(), AT).first).toBe(true);
    expect(explainState(it.state())[0]).toMatch(/nobody reads the mailbox.*promote --force/);
    expect(it.names(answered({ term: 0 }))).toEqual(['call first 0']);
    const given = grant({ term: 2, watermark: null, handoffId: OTHER_ID });
    expect(it.names({ type: 'granted', handoffId: OTHER_ID, grant: given })).toEqual([
      'persist master 2 first',
    ]);
    expect(it.end('persisted')).toEqual(['open-inbox']);
  });

  test('of a node that lost its record goes by the rule of a rescan where somebody has been master', () => {
    const it = story(null, { mode: 'master' });
    it.tell({ type: 'started' }, answered({ term: 5 }));
    const given = grant({ term: 6, watermark: null, handoffId: OTHER_ID });
    expect(it.names({ type: 'granted', handoffId: OTHER_ID, grant: given })).toEqual(['require-rescan']);
    expect(it.end('prepared')).toEqual(['persist master 6 first']);
  });

  test('beside a master is slave', () => {
    const it = story(null, { mode: 'master' });
    expect(it.names({ type: 'started' }, answered({ role: 'master', term: 7 }))).toEqual([
      'ask-peer',
      'persist slave 7 first',
    ]);
  });

  test.each([
    ['audio', 'audio2', ['call first 0']],
    ['audio2', 'audio', []],
  ])('where both are to be master at first: %s beside %s', (nodeId, peerId, expected) => {
    const it = story(null, { mode: 'master', nodeId, peerId });
    const both = { nodeId: peerId, role: 'candidate', term: 0, first: true } as const;
    it.tell({ type: 'started' });
    expect(it.names(answered(both))).toEqual(expected);
  });

  test('is granted to the one that sorts first, and not the other way round', () => {
    const ask = { type: 'asked', kind: 'first', handoffId: ID, term: 0 } as const;
    const second = story(null, { mode: 'master', nodeId: 'audio2', peerId: 'audio' });
    second.tell({ type: 'started' });
    expect(second.names({ ...ask, from: 'audio' })).toEqual(['close-inbox']);
    expect(second.end('inbox-closed')).toEqual(['persist slave 2 granted to audio']);
    const first = story(null, { mode: 'master' });
    first.tell({ type: 'started' });
    expect(first.names({ ...ask, from: 'audio2' })).toEqual(['answer leadership.busy']);
  });

  test('is refused by a master', () => {
    const ask = { type: 'asked', kind: 'first', handoffId: ID, from: 'audio2', term: 4 } as const;
    expect(master().names(ask)).toEqual(['answer leadership.refused']);
  });
});

describe('a promotion', () => {
  test('asks, gets the grant, takes the ledger over, writes itself down, and only then opens the inbox', () => {
    const it = slave();
    expect(it.names(PROMOTE)).toEqual(['ask-peer']);
    expect(it.names(answered({ role: 'master' }))).toEqual(['call take 3']);
    const effects = it.tell({ type: 'granted', handoffId: ID, grant: grant() });
    expect(effects).toMatchObject([{ do: 'adopt-watermark', watermark: WATERMARK }]);
    expect(it.end('prepared')).toEqual(['persist master 4 handoff']);
    expect(it.role()).toBe('candidate');
    expect(it.end('persisted')).toEqual(['open-inbox']);
    expect(it.state().handoffs).toMatchObject([{ id: ID, kind: 'promote', state: 'done', term: 4 }]);
  });

  test('by a node that never read looks the mailbox through again', () => {
    const it = slave();
    it.tell(PROMOTE, answered());
    const given = { type: 'granted', handoffId: ID, grant: grant({ watermark: null }) } as const;
    expect(it.names(given)).toEqual(['require-rescan']);
  });

  test('is refused where the peer does not answer, and says what to do', () => {
    const it = slave();
    expect(it.names(PROMOTE, AWAY)).toEqual(['ask-peer']);
    expect(it.role()).toBe('slave');
    expect(it.sentenceOf(ID)).toMatch(/does not answer .*--force/);
  });

  test('whose call was lost is in progress until the peer can be asked', () => {
    const it = slave();
    it.tell(PROMOTE, answered({ role: 'master' }));
    expect(it.names({ type: 'call-lost', handoffId: ID, reason: 'timeout' }, AWAY)).toEqual(['ask-peer']);
    expect(it.role()).toBe('candidate');
    expect(explainState(it.state())[0]).toContain(`handoff ${ID} is in progress`);
    expect(it.names(answered({ role: 'draining' }))).toEqual([]);
    expect(it.names(answered({ role: 'fenced', term: 4, grant: grant() }))).toEqual(['adopt-watermark']);
  });

  test('whose call never arrived is refused when the peer says so', () => {
    const it = slave();
    it.tell(PROMOTE, answered({ role: 'master' }), { type: 'call-lost', handoffId: ID, reason: 'timeout' });
    it.tell(answered({ role: 'master' }));
    expect(it.state().handoffs).toMatchObject([{ state: 'refused', busy: true }]);
    expect(it.role()).toBe('slave');
  });

  test('that a crash broke is taken up again by the grant that lies at the peer', () => {
    const it = story(record());
    it.tell({ type: 'started' });
    const lying = answered({ role: 'fenced', term: 4, grant: grant() });
    expect(it.names(lying)).toEqual(['adopt-watermark']);
    expect(it.end('prepared')).toEqual(['persist master 4 handoff']);
  });

  test('whose disk fails is tried again at the next contact', () => {
    const it = slave();
    it.tell(PROMOTE, answered({ role: 'master' }), { type: 'granted', handoffId: ID, grant: grant() });
    it.end('prepared');
    expect(it.fail('persist-failed')).toEqual([]);
    expect(it.sentenceOf(ID)).toContain('tried again');
    expect(it.names(answered({ role: 'fenced', term: 4, grant: grant() }))).toEqual(['adopt-watermark']);
    it.end('prepared');
    expect(it.end('persisted')).toEqual(['open-inbox']);
    expect(it.state().handoffs).toMatchObject([{ state: 'done', term: 4 }]);
  });

  test.each([4, 3])('does not take a grant of term %i that comes after term 4', (term) => {
    const it = story(record({ term: 4 }));
    it.tell({ type: 'started' });
    expect(it.names(answered({ role: 'fenced', term, grant: grant({ term }) }))).toEqual([]);
    expect(it.names({ type: 'granted', handoffId: ID, grant: grant({ term }) })).toEqual([]);
  });

  test.each([
    ['was slave beside another', record({ how: 'seen', master: null }), 'require-rescan'],
    ['gave it away', record({ how: 'granted', grant: grant({ to: 'audio2' }) }), 'require-rescan'],
    ['left the reading', record({ how: 'demoted', master: null }), 'require-rescan'],
    ['never read', record({ how: 'first', term: 0, master: null }), 'persist master 1 alone'],
  ])('of a node alone that %s', (_what, onDisk, effect) => {
    const it = story(onDisk, { peerId: null, askable: false });
    it.tell({ type: 'started' });
    expect(it.names(PROMOTE)).toEqual([effect]);
  });

  test('of the master is done already', () => {
    const it = master();
    expect(it.names(PROMOTE)).toEqual([]);
    expect(it.state().handoffs).toMatchObject([{ state: 'done', term: 4 }]);
  });

  test('of both at once is that of the node that sorts first', () => {
    const second = story(record({ nodeId: 'audio2' }), { nodeId: 'audio2', peerId: 'audio' });
    second.tell({ type: 'started' }, PROMOTE, answered({ nodeId: 'audio' }));
    const crossing = { ...TAKE, handoffId: OTHER_ID, from: 'audio' };
    expect(second.names(crossing)).toEqual(['close-inbox']);
    expect(second.sentenceOf(ID)).toContain('at the same moment');
    const first = slave();
    first.tell(PROMOTE, answered());
    expect(first.names({ ...TAKE, handoffId: OTHER_ID })).toEqual(['answer leadership.busy']);
  });
});

describe('a master that hands over', () => {
  test('closes, sends the tail, writes the grant down, and only then answers', () => {
    const it = master();
    expect(it.names(TAKE)).toEqual(['close-inbox']);
    expect(it.role()).toBe('draining');
    expect(it.end('inbox-closed')).toEqual(['send-tail']);
    expect(it.sent()).toEqual(['persist slave 5 granted to audio2']);
    expect(viewOf(it.state(), AT)).toMatchObject({ role: 'draining', term: 4, grant: null });
    expect(it.end('persisted')).toEqual(['answer grant 5']);
    expect(it.role()).toBe('fenced');
    expect(viewOf(it.state(), AT).grant).toEqual({
      term: 5,
      to: 'audio2',
      handoffId: ID,
      watermark: WATERMARK,
    });
    expect(explainState(it.state())[0]).toContain('has not seen it as master since');
    expect(it.names(answered({ role: 'master', term: 5 }))).toEqual([]);
    expect(it.role()).toBe('slave');
    expect(explainState(it.state())).toEqual([]);
  });

  test('gives the same answer to the same handoff, and none of it to another', () => {
    const it = master();
    it.tell(TAKE);
    expect(it.names(TAKE)).toEqual([]);
    expect(it.names({ ...TAKE, handoffId: OTHER_ID })).toEqual(['answer leadership.busy']);
    it.end('inbox-closed');
    it.sent();
    it.end('persisted');
    expect(it.names(TAKE)).toEqual(['answer grant 5']);
  });

  test.each([
    ['inbox-stuck', 0],
    ['tail-failed', 1],
    ['persist-failed', 2],
  ] as const)('goes on reading after %s', (failure, steps) => {
    const it = master();
    it.tell(TAKE);
    if (steps > 0) it.end('inbox-closed');
    if (steps > 1) it.sent();
    expect(it.fail(failure)).toEqual(['answer leadership.busy', 'open-inbox']);
    expect(it.role()).toBe('master');
  });

  test('writes its own record again after a grant that may be on disk', () => {
    const it = master();
    it.tell(TAKE);
    it.end('inbox-closed');
    it.sent();
    it.fail('persist-failed');
    expect(it.names(answered())).toEqual(['persist master 4 handoff']);
    it.end('persisted');
    expect(it.names(answered())).toEqual([]);
  });

  test('refuses a call that comes from before its own term, or from somebody else', () => {
    expect(master().names({ ...TAKE, term: 3 })).toEqual(['answer leadership.refused']);
    expect(master().names({ ...TAKE, from: 'audio3' })).toEqual(['answer leadership.refused']);
  });

  test('passes over the end of a step of an earlier handoff', () => {
    const it = master();
    it.tell(TAKE);
    const stale = { type: 'inbox-closed', ticket: 0 } as const;
    expect(it.names(stale)).toEqual([]);
  });
});

describe('a demotion', () => {
  test('is the same handoff, offered', () => {
    const it = master();
    expect(it.names(DEMOTE)).toEqual(['call offer 4']);
    expect(it.role()).toBe('master');
    expect(it.names(TAKE)).toEqual(['close-inbox']);
    it.end('inbox-closed');
    it.sent();
    expect(it.end('persisted')).toEqual(['answer grant 5']);
    expect(it.state().handoffs).toMatchObject([{ kind: 'demote', state: 'in-progress' }]);
    it.tell({ type: 'offer-taken', handoffId: ID, term: 5 });
    expect(it.state().handoffs).toMatchObject([{ state: 'done', term: 5 }]);
  });

  test('makes the peer promote itself and answers when it is master', () => {
    const it = slave();
    expect(it.names(OFFER)).toEqual(['call take 3']);
    expect(it.names(OFFER)).toEqual([]);
    it.tell({ type: 'granted', handoffId: ID, grant: grant() });
    it.end('prepared');
    expect(it.end('persisted')).toEqual(['answer', 'open-inbox']);
    expect(it.names(OFFER)).toEqual(['answer leadership.refused']);
  });

  test('whose answer was lost is done as soon as the peer is seen as master', () => {
    const it = master();
    it.tell(DEMOTE, TAKE);
    it.end('inbox-closed');
    it.sent();
    it.end('persisted');
    it.tell({ type: 'call-lost', handoffId: ID, reason: 'timeout' }, answered({ role: 'master', term: 5 }));
    expect(it.state().handoffs).toMatchObject([{ state: 'done', term: 5 }]);
  });

  test.each([
    ['refused', { type: 'call-refused', handoffId: ID, busy: false, reason: 'no' }],
    ['busy', { type: 'call-refused', handoffId: ID, busy: true, reason: 'later' }],
  ] as const)('that is %s leaves the master as it is', (_how, event) => {
    const it = master();
    expect(it.names(DEMOTE, event)).toEqual(['call offer 4']);
    expect(it.role()).toBe('master');
    expect(it.state().handoffs).toMatchObject([{ state: 'refused', busy: event.busy }]);
  });

  test('that the peer never heard of is refused when it says so', () => {
    const it = master();
    it.tell(DEMOTE);
    expect(it.names({ type: 'call-lost', handoffId: ID, reason: 'timeout' })).toEqual(['ask-peer']);
    it.tell(answered());
    expect(it.state().handoffs).toMatchObject([{ state: 'refused' }]);
    expect(it.role()).toBe('master');
  });

  test('where no peer can be asked closes the inbox and says that nobody reads', () => {
    const it = story(MASTER, { askable: false });
    expect(it.names({ type: 'started' })).toEqual(['open-inbox']);
    expect(it.names(DEMOTE)).toEqual(['close-inbox']);
    expect(it.end('inbox-closed')).toEqual(['persist slave 4 demoted']);
    expect(it.end('persisted')).toEqual([]);
    expect(it.sentenceOf(ID)).toContain('start the reading on audio2 by hand');
  });
});

describe('force', () => {
  test('is refused as long as the peer answers', () => {
    const it = slave();
    expect(it.names(FORCE, answered({ role: 'master' }))).toEqual(['ask-peer']);
    expect(it.sentenceOf(ID)).toContain('without --force');
    expect(it.role()).toBe('slave');
  });

  test('looks the mailbox through again and takes a term of its own', () => {
    const it = slave();
    expect(it.names(FORCE, AWAY)).toEqual(['ask-peer', 'require-rescan']);
    expect(it.end('prepared')).toEqual(['persist master 4 forced']);
    expect(it.end('persisted')).toEqual(['open-inbox']);
    expect(explainState(it.state())[0]).toContain('by force');
  });

  test('is how a peer without RPC is overruled', () => {
    const it = story(record(), { askable: false });
    it.tell({ type: 'started' }, PROMOTE);
    expect(it.sentenceOf(ID)).toMatch(/PEER_RPC=off.*--force/);
    const again = { ...FORCE, handoffId: OTHER_ID };
    expect(it.names(again)).toEqual(['require-rescan']);
  });

  test('ends a wait for the peer’s word', () => {
    const it = story(null, { mode: 'master' });
    expect(it.names({ type: 'started' }, AWAY, FORCE, AWAY)).toEqual([
      'ask-peer',
      'ask-peer',
      'require-rescan',
    ]);
    expect(it.end('prepared')).toEqual(['persist master 2 forced']);
  });

  test('closes the inbox of the one that was overruled at the first contact', () => {
    const it = master();
    expect(it.names(answered({ role: 'master', term: 5 }))).toEqual([
      'close-inbox',
      'persist slave 5 fenced',
    ]);
    expect(it.role()).toBe('fenced');
    it.end('persisted');
    expect(it.role()).toBe('slave');
    expect(explainState(it.state())[0]).toContain('was forced out by audio2');
  });

  test('keeps it closed where that cannot be written, and tries again', () => {
    const it = master();
    const later = answered({ role: 'master', term: 5 });
    it.tell(later);
    expect(it.fail('persist-failed')).toEqual([]);
    expect(it.role()).toBe('fenced');
    expect(it.names(later)).toEqual(['persist slave 5 fenced']);
  });

  test('keeps it closed also where the peer is gone again before that could be written', () => {
    const it = master();
    it.tell(answered({ role: 'master', term: 5 }));
    it.fail('persist-failed');
    expect(it.names(AWAY)).toEqual(['persist slave 5 fenced']);
    expect(it.end('persisted')).toEqual([]);
    expect(it.role()).toBe('slave');
  });

  test('in the middle of a handoff ends that', () => {
    const it = master();
    it.tell(TAKE);
    expect(it.names(answered({ role: 'master', term: 7 }))).toEqual([
      'answer leadership.refused',
      'persist slave 7 fenced',
    ]);
  });
});

describe('a slave', () => {
  test('writes down a term that it sees at the peer', () => {
    const it = slave();
    expect(it.names(answered({ role: 'master', term: 5 }))).toEqual(['persist slave 5 seen']);
    it.end('persisted');
    expect(it.names(answered({ role: 'master', term: 5 }))).toEqual([]);
  });

  test('says that nobody is master, and what to do', () => {
    const it = story(record());
    it.tell({ type: 'started' }, answered());
    expect(explainState(it.state())[0]).toMatch(/neither node is master.*node-ctl promote/);
    it.tell(AWAY);
    expect(explainState(it.state())[0]).toMatch(/audio2 does not answer.*--force/);
  });

  test('does not listen to somebody else at the address of its peer', () => {
    const it = slave();
    expect(it.names(answered({ nodeId: 'audio3', role: 'fenced', term: 4, grant: grant() }))).toEqual([]);
    expect(it.state().peer.away).toContain('audio3');
  });
});

test('two masters alone that become a pair are one master at the first contact', () => {
  const alone = { role: 'master', term: 1, how: 'alone' } as const;
  const first = story(record({ ...alone, master: 'audio' }));
  expect(first.names({ type: 'started' }, answered({ role: 'master', term: 1 }))).toEqual([
    'ask-peer',
    'open-inbox',
  ]);
  const second = story(record({ ...alone, nodeId: 'audio2', master: 'audio2' }), {
    nodeId: 'audio2',
    peerId: 'audio',
  });
  expect(second.names({ type: 'started' }, answered({ nodeId: 'audio', role: 'master', term: 1 }))).toEqual([
    'ask-peer',
    'persist slave 1 fenced',
  ]);
});

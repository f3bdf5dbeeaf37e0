import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, temporaryDirectory } from '../../support/process.ts';
import { World, type WorldNode } from './pair-world.ts';

const FORCE = { force: true, confirm: 'audio2' };
const PLAIN = { force: false, confirm: null };

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let world: World;

beforeEach(async () => {
  directory = await temporaryDirectory();
  world = new World(directory.path);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

/** `audio2` as the master of the first term, `audio` as slave. */
async function pair(): Promise<[audio: WorldNode, audio2: WorldNode]> {
  const audio = await world.start('audio', 'slave');
  const audio2 = await world.start('audio2', 'master');
  await eventually('both to know', () => audio2.open && roles().join() === 'slave 1,master 1');
  return [audio, audio2];
}

function roles(): string[] {
  return ['audio', 'audio2'].map((id) => {
    const { role, term } = world.get(id).leadership.view();
    return `${role} ${term}`;
  });
}

describe('a pair', () => {
  test('has its first master with the word of the other node', async () => {
    const audio2 = await world.start('audio2', 'master');
    await eventually('the question', () => audio2.peer.contact().lastError !== null);
    expect(audio2.open).toBe(false);
    expect(audio2.leadership.explain().join()).toContain('the word of audio is needed');
    await world.start('audio', 'slave');
    await eventually('the first master', () => audio2.open);
    await eventually('both roles', () => roles().join() === 'slave 1,master 1');
    expect(audio2.leadership.explain()).toEqual([]);
  });

  test('hands over twenty times, with one inbox open at a time and terms that grow by one', async () => {
    await pair();
    const terms: (number | null)[] = [];
    for (let count = 0; count < 20; count += 1) {
      const act = await world.get(count % 2 === 0 ? 'audio' : 'audio2').leadership.promote(PLAIN);
      expect(act.kind).toBe('done');
      terms.push(act.term);
    }
    expect(terms).toEqual(Array.from({ length: 20 }, (_, index) => index + 2));
    await eventually('audio2 to read', () => world.openInboxes().join() === 'audio2');
    expect(world.log).not.toContain('TWO');
    expect(world.log.filter((line) => line.endsWith('opens'))).toHaveLength(21);
  });

  test('gives the mastership away by a demotion, which is the same handoff', async () => {
    const [audio, audio2] = await pair();
    const act = await audio2.leadership.demote();
    expect(act).toMatchObject({ kind: 'done', term: 2 });
    await eventually('the new master', () => audio.open);
    const id = act.handoffId ?? '';
    expect(audio.leadership.handoff(id)).toMatchObject({ state: 'done', term: 2 });
    expect(audio.audit).toContainEqual(
      expect.objectContaining({ event: 'leadership.changed', role: 'master', handoff: id }),
    );
  });

  test('sends the rest of the ledger and goes on from where the other stopped', async () => {
    const [audio, audio2] = await pair();
    await audio.leadership.promote(PLAIN);
    expect(audio2.ledger).toEqual(['flush']);
    expect(audio.ledger).toEqual(['adopt 100']);
  });

  test('keeps its roles over a restart of both', async () => {
    const [audio, audio2] = await pair();
    const { handoffId } = await audio.leadership.promote(PLAIN);
    await Promise.all([audio.stop(), audio2.stop()]);
    expect(world.log.slice(-1)).toEqual(['audio closes']);
    const again = await world.start('audio2', 'master');
    const master = await world.start('audio', 'slave');
    await eventually('the master to read', () => master.open);
    expect(again.leadership.view()).toMatchObject({ term: 2, grant: { to: 'audio' } });
    expect(master.leadership.handoff(handoffId ?? '')).toMatchObject({ state: 'done', term: 2 });
    expect(world.log).not.toContain('TWO');
  });
});

describe('a handoff that breaks', () => {
  test('where the mail in hand takes too long leaves the master as it was', async () => {
    const [audio, audio2] = await pair();
    const mail = Promise.withResolvers<void>();
    audio2.mailInHand = mail.promise;
    const act = await audio.leadership.promote(PLAIN);
    expect(act).toMatchObject({ kind: 'refused', message: expect.stringContaining('the mail in hand') });
    expect(roles()).toEqual(['slave 1', 'master 1']);
    mail.resolve();
    await eventually(
      'the master to read again',
      () => world.log.slice(-2).join() === 'audio2 closes,audio2 opens',
    );
  });

  test('where the rest of the ledger cannot be sent leaves the master as it was', async () => {
    const [audio, audio2] = await pair();
    audio2.flushing = () => Promise.reject(new Error('gap'));
    expect(await audio.leadership.promote(PLAIN)).toMatchObject({ kind: 'refused' });
    await eventually('the master to read again', () => audio2.open);
    expect(roles()).toEqual(['slave 1', 'master 1']);
  });

  test('where the answer is lost leaves none, and is settled by the next contact', async () => {
    const [audio, audio2] = await pair();
    audio.peer.before = async (method) => {
      if (method === 'leadership.handoff') audio.peer.link = 'answers-lost';
    };
    const act = await audio.leadership.promote({ ...PLAIN, waitMs: 200 });
    expect(act.kind).toBe('in-progress');
    await eventually('the grant', () => audio2.leadership.view().grant !== null);
    expect(world.openInboxes()).toEqual([]);
    expect(audio.leadership.explain().join()).toContain(act.handoffId);
    expect(audio2.leadership.explain().join()).toContain('has not seen it as master since');
    audio.peer.link = 'up';
    await eventually('the new master', () => audio.open);
    expect(audio.leadership.handoff(act.handoffId ?? '')).toMatchObject({ state: 'done', term: 2 });
    await eventually('the old one to see it', () => roles()[1] === 'slave 2');
  });

  test('where the taker dies is taken up when it is back', async () => {
    const [audio, audio2] = await pair();
    audio.peer.before = async (method) => {
      if (method === 'leadership.handoff') audio.peer.link = 'answers-lost';
    };
    await audio.leadership.promote({ ...PLAIN, waitMs: 0 });
    await eventually('the grant', () => audio2.leadership.view().grant !== null);
    await audio.stop();
    const again = await world.start('audio', 'slave');
    await eventually('the new master', () => again.open);
    expect(roles()[0]).toBe('master 2');
  });

  test('where the giver dies before its grant is written leaves the giver master', async () => {
    const [audio, audio2] = await pair();
    audio2.flushing = () => new Promise(() => undefined);
    const promoting = audio.leadership.promote(PLAIN);
    await eventually('the inbox to close', () => !audio2.open);
    await audio2.stop();
    const again = await world.start('audio2', 'slave');
    await eventually('the master to read', () => again.open);
    expect((await promoting).kind).toBe('refused');
    expect(roles()).toEqual(['slave 1', 'master 1']);
  });
});

describe('force', () => {
  test('needs the name of the peer, and a peer that does not answer', async () => {
    const [audio] = await pair();
    expect(await audio.leadership.promote({ force: true, confirm: 'audio' })).toMatchObject({
      kind: 'refused',
      handoffId: null,
    });
    expect(await audio.leadership.promote(FORCE)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('without --force'),
    });
    expect(world.openInboxes()).toEqual(['audio2']);
  });

  test('overrules a master, which closes its inbox at the first contact and tells the admin', async () => {
    const [audio, audio2] = await pair();
    audio.peer.link = 'down';
    audio2.peer.link = 'down';
    expect(await audio.leadership.promote(FORCE)).toMatchObject({ kind: 'done', term: 2 });
    expect(audio.ledger).toEqual(['rescan']);
    await eventually('both to read, as was said', () => world.openInboxes().length === 2);
    audio2.peer.link = 'up';
    await eventually('the overruled one to close', () => world.openInboxes().join() === 'audio');
    await eventually('its record', () => roles()[1] === 'slave 2');
    expect(audio2.alerts).toEqual(['forced-out']);
    expect(audio.alerts).toEqual(['forced']);
    expect(audio2.leadership.history().at(-1)).toMatchObject({ how: 'fenced', master: 'audio' });
  });
});

describe('a dry run', () => {
  test('prints the steps and changes nothing', async () => {
    const [audio, audio2] = await pair();
    const { steps, obstacles } = await audio.leadership.planPromote({ force: false });
    expect(obstacles).toEqual([]);
    expect(steps.join('\n')).toMatch(/audio2 finishes the mail in hand[^]*audio .*master of term 2/);
    expect((await audio2.leadership.planDemote()).steps.join('\n')).toContain('audio writes down');
    expect(roles()).toEqual(['slave 1', 'master 1']);
  });

  test('says what would stop it', async () => {
    const [audio, audio2] = await pair();
    const seen = async (node: WorldNode, force = false): Promise<string> =>
      (await node.leadership.planPromote({ force })).obstacles.join();
    expect(await seen(audio2)).toContain('is master already');
    expect(await seen(audio, true)).toContain('--force is refused');
    audio.peer.link = 'down';
    expect(await seen(audio)).toContain('audio2 does not answer');
    expect(await seen(audio, true)).toBe('');
  });
});

describe('the peer’s call', () => {
  test('is refused where its certificate is of another node than it says', async () => {
    const [audio] = await pair();
    const call = { signal: new AbortController().signal, caller: 'audio3' };
    const params = { kind: 'take', handoffId: randomUUID(), from: 'audio2', term: 1 } as const;
    await expect(audio.leadership.handlers['leadership.handoff'](params, call)).rejects.toMatchObject({
      code: 'leadership.refused',
    });
  });

  test('made twice is one handoff with one answer', async () => {
    const [audio, audio2] = await pair();
    const params = { kind: 'take', handoffId: randomUUID(), from: 'audio', term: 1 } as const;
    const [first, second] = await Promise.all([
      audio.peer.call('leadership.handoff', params),
      audio.peer.call('leadership.handoff', params),
    ]);
    expect(second.grant).toEqual(first.grant);
    expect((await audio.peer.call('leadership.handoff', params)).grant).toEqual(first.grant);
    expect(audio2.ledger).toEqual(['flush']);
    await eventually('the new master', () => audio.open);
  });

  test('of a node that stops is told so', async () => {
    const [audio, audio2] = await pair();
    const mail = Promise.withResolvers<void>();
    audio2.mailInHand = mail.promise;
    const params = { kind: 'take', handoffId: randomUUID(), from: 'audio', term: 1 } as const;
    const call = audio.peer.call('leadership.handoff', params);
    await eventually('the handoff', () => audio2.leadership.view().role === 'draining');
    const stopping = audio2.stop();
    await expect(call).rejects.toMatchObject({ code: 'leadership.busy' });
    mail.resolve();
    await stopping;
  });
});

test('a role that cannot be written is told, and nobody is master by it', async () => {
  const [audio, audio2] = await pair();
  await directory[Symbol.asyncDispose]();
  const act = await audio.leadership.promote(PLAIN);
  expect(act.kind).toBe('refused');
  await eventually('the master to read again', () => audio2.open);
  expect(audio2.leadership.explain().join()).toContain('cannot be written');
  expect(roles()).toEqual(['slave 1', 'master 1']);
});

test('a damaged record is not guessed about', async () => {
  await writeFile(join(directory.path, 'audio.json'), '{"version":1,');
  await expect(world.start('audio', 'slave')).rejects.toMatchObject({
    code: 'leadership.damaged',
    message: expect.stringMatching(/MODE=master waits for its peer/),
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { handedOver, isResend } from '../../../node/forward/forward-origin.ts';
import { newJob } from '../../support/jobs.ts';
import { ADMIN, BIA, createPeopleWorld, MARIA, type PeopleWorld } from '../../support/people-world.ts';

let world: PeopleWorld;
beforeEach(async () => {
  world = await createPeopleWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const request = (requester: string) => ({ ...newJob('x').request, requester });
const text = () => world.mails.at(-1)?.mail.text ?? '';
const run = async (subject: string, requester: string) => world.work(await world.ask(subject, requester));

describe('FILA', () => {
  beforeEach(async () => {
    await world.recordings('first');
    await world.recordings('of bia', { request: { ...request(BIA), subject: 'RAMAIS=7777' } });
    await world.recordings(
      'at the peer',
      { request: { ...request(MARIA), subject: 'RAMAIS=8888' } },
      world.peerSpool,
    );
    const handed = { details: handedOver('audio'), request: { ...request(MARIA), subject: 'RAMAIS=9999' } };
    await world.recordings('handed over', handed, world.peerSpool);
  });

  test('shows one’s own requests, those of the other node too, and nobody else’s', async () => {
    expect(await run('FILA', MARIA)).toMatchObject({ summary: 'told of 2 requests' });
    expect(text()).toContain('RAMAIS=1121');
    expect(text()).toContain('RAMAIS=8888');
    for (const other of ['7777', '9999', 'FILA=']) expect(text()).not.toContain(other);
  });

  test('shows an admin everybody’s', async () => {
    expect(await run('FILA', ADMIN)).toMatchObject({ summary: 'told of 3 requests' });
    expect(text()).toContain('7777');
  });

  test('says that it may not be all where the other node does not answer', async () => {
    world.peer.link = 'down';
    expect(await run('FILA', MARIA)).toMatchObject({ summary: 'told of 1 requests' });
    expect(text()).toContain('incompleta');
  });

  test('gives no place to what waits for its time', async () => {
    const job = await world.recordings('first');
    expect(await run('FILA', MARIA)).toMatchObject({ kind: 'done' });
    expect(text()).toMatch(/RAMAIS=1121 .* É O PRÓXIMO/);
    await world.spool.claim(job.id);
    const later = { failures: 0, interruptions: 0, notBefore: '2036-01-01T00:00:00Z', lastError: null };
    await world.spool.defer(job.id, later);
    expect(await run('FILA', MARIA)).toMatchObject({ kind: 'done' });
    expect(text()).toMatch(/RAMAIS=1121 .* AGUARDANDO/);
  });

  test('leaves out what has ended', async () => {
    await world.end(await world.recordings('first'), 'done');
    expect(await run('FILA', MARIA)).toMatchObject({ summary: 'told of 1 requests' });
  });
});

describe('CANCELAR', () => {
  test('ends one’s own request, without a second mail about it', async () => {
    const job = await world.recordings('a');
    expect(await run(`CANCELAR=${job.id.slice(0, 12)}`, MARIA)).toMatchObject({ summary: /^done: / });
    expect(world.cancelled).toEqual([{ id: job.id, told: true }]);
    expect(world.audit.events).toMatchObject([{ event: 'job.cancelled', job: job.id, by: MARIA }]);
  });

  test('of another’s finds none, and an admin’s has its requester told', async () => {
    const job = await world.recordings('a');
    expect(await run(`CANCELAR=${job.id.slice(0, 12)}`, BIA)).toMatchObject({ summary: /^none: / });
    expect(world.cancelled).toEqual([]);
    expect(await run(`CANCELAR=${job.id}`, ADMIN)).toMatchObject({ summary: /^done: / });
    expect(world.cancelled).toEqual([{ id: job.id, told: false }]);
  });

  test('of what has ended says that it is over', async () => {
    const job = await world.recordings('a');
    await world.end(job, 'done');
    expect(await run(`CANCELAR=${job.id.slice(0, 12)}`, MARIA)).toMatchObject({ summary: /^over: / });
  });

  test('of what is changing something says that it goes on, here as at the other node', async () => {
    world.isBegun = true;
    const job = await world.recordings('a');
    expect(await run(`CANCELAR=${job.id.slice(0, 12)}`, MARIA)).toMatchObject({ summary: /^begun: / });
    expect(text()).toContain('já começou');
    const there = await world.recordings('b', {}, world.peerSpool);
    expect(await run(`CANCELAR=${there.id.slice(0, 12)}`, MARIA)).toMatchObject({ summary: /^begun: / });
  });

  test('of several does nothing', async () => {
    const ids = ['a'.repeat(4) + '1'.repeat(60), 'a'.repeat(4) + '2'.repeat(60)];
    for (const id of ids) await world.recordings('x', { id });
    expect(await run('CANCELAR=aaaa', MARIA)).toMatchObject({ summary: /^several: / });
    expect(world.cancelled).toEqual([]);
    expect(await run('CANCELAR=aaaa1', MARIA)).toMatchObject({ summary: /^done: / });
  });

  test('reaches a request that came in at the other node', async () => {
    const job = await world.recordings('a', {}, world.peerSpool);
    expect(await run(`CANCELAR=${job.id.slice(0, 12)}`, MARIA)).toMatchObject({ summary: /^done: / });
    expect(world.peer.calls.at(-1)).toEqual({
      method: 'job.cancel',
      params: { id: job.id, requester: MARIA, told: true },
    });
    world.peer.link = 'down';
    expect(await run(`CANCELAR=${job.id.slice(0, 12)}`, MARIA)).toMatchObject({ summary: /^unreachable: / });
  });

  test('broken off after it was done, still says that it was', async () => {
    const job = await world.recordings('a');
    const own = await world.ask(`CANCELAR=${job.id}`, MARIA);
    world.crashAt = 'cancel done';
    await expect(world.work(own)).rejects.toThrow('crashed');
    expect(await world.work(own)).toMatchObject({ summary: /^done: / });
  });

  test('broken off before that was noted, finds that it has come about', async () => {
    const job = await world.recordings('a');
    const own = await world.ask(`CANCELAR=${job.id}`, MARIA);
    await world.spool.recordStep(own.id, 'cancel', { intentAt: world.clock.now().toString(), doneAt: null });
    world.clock.advance({ seconds: 1 });
    await world.end(job, 'cancelled');
    expect(await world.work(own)).toMatchObject({ summary: /^done: / });
  });

  test('of somebody who was removed meanwhile does nothing', async () => {
    const job = await world.recordings('a');
    const own = await world.ask(`CANCELAR=${job.id}`, MARIA);
    await world.people.remove(MARIA, ADMIN);
    await expect(world.work(own)).rejects.toMatchObject({ code: 'access.not-permitted' });
  });
});

describe('REENVIAR', () => {
  const ended = async (requester = MARIA, spool = world.spool) => {
    const job = await world.recordings('a', { request: request(requester) }, spool);
    await world.end(job, 'done', spool);
    return job;
  };
  const again = async () => {
    const jobs = await Promise.all(world.spool.ids('pending').map((id) => world.spool.read(id)));
    return jobs.filter((job) => job !== null && isResend(job));
  };

  test('makes the same request a job of its own, which needs no confirmation', async () => {
    const job = await ended();
    expect(await run(`REENVIAR=${job.id.slice(0, 12)}`, MARIA)).toMatchObject({ summary: /^done: / });
    const [made, ...more] = await again();
    expect(more).toEqual([]);
    expect(made).toMatchObject({
      request: job.request,
      digest: job.digest,
      lane: 'recordings',
      source: 'audio',
    });
    expect(made?.id).not.toBe(job.id);
    expect(world.audit.events).toMatchObject([{ event: 'job.resent', job: made?.id, of: job.id, by: MARIA }]);
  });

  test('broken off, makes it once', async () => {
    const job = await ended();
    const own = await world.ask(`REENVIAR=${job.id}`, MARIA);
    world.crashAt = 'resend done';
    await expect(world.work(own)).rejects.toThrow('crashed');
    await world.spool.recordStep(own.id, 'resend', { intentAt: world.clock.now().toString(), doneAt: null });
    expect(await world.work(own)).toMatchObject({ summary: /^done: / });
    expect(await again()).toHaveLength(1);
  });

  test('of one that came in at the other node is done here', async () => {
    const job = await ended(MARIA, world.peerSpool);
    expect(await run(`REENVIAR=${job.id.slice(0, 12)}`, MARIA)).toMatchObject({ summary: /^done: / });
    expect(await again()).toMatchObject([{ request: job.request }]);
  });

  test('of one that is not done says so', async () => {
    const job = await world.recordings('a');
    expect(await run(`REENVIAR=${job.id}`, MARIA)).toMatchObject({ summary: /^open: / });
  });

  test('of another’s finds none', async () => {
    const job = await ended();
    expect(await run(`REENVIAR=${job.id}`, BIA)).toMatchObject({ summary: /^none: / });
  });

  test('does no change of a server a second time', async () => {
    const change = {
      lane: 'servers',
      source: null,
      request: { ...request(MARIA), command: 'MACCHANGE' },
    } as const;
    const job = await world.recordings('a', change);
    await world.end(job, 'done');
    expect(await run(`REENVIAR=${job.id}`, MARIA)).toMatchObject({ summary: /^not-resendable: / });
  });

  test('of extensions that its requester may no longer hear is not done', async () => {
    const job = await ended();
    await world.people.put({ address: MARIA, role: 'consulta', extensions: ['3010'], servers: null }, ADMIN);
    expect(await run(`REENVIAR=${job.id}`, MARIA)).toMatchObject({ summary: /^not-resendable: / });
    expect(await again()).toEqual([]);
  });
});

describe('STATUS', () => {
  test('tells what waits and which sources answer', async () => {
    await run('STATUS', MARIA);
    expect(text()).not.toContain('the disk is nearly full');
    await run('STATUS', ADMIN);
    expect(text()).toContain('the disk is nearly full');
  });

  test('says that a source cannot be searched where its node is away', async () => {
    world.peer.link = 'down';
    await run('STATUS', MARIA);
    expect(text()).toContain('não responde');
  });
});

describe('AJUDA', () => {
  test('shows each the commands that they may use', async () => {
    await run('AJUDA', MARIA);
    expect(text()).not.toContain('WHITELIST');
    await run('AJUDA', ADMIN);
    expect(text()).toContain('WHITELIST ADD');
  });

  test('shows examples within one’s limits, which would be accepted as they are', async () => {
    const limited = { address: MARIA, role: 'consulta', extensions: ['3010'], servers: ['gv1p'] } as const;
    await world.people.put(limited, ADMIN);
    await run('AJUDA', MARIA);
    expect(text()).toMatch(/RAMAIS=3010 SERVER=gv1p INICIO=/);
    expect(text()).not.toContain('1121');
    for (const other of ['CANCELAR=', 'REENVIAR=', 'FILA']) expect(text()).toContain(other);
  });
});

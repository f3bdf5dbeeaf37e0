import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { inboxSessions, overlapsOf } from '../support/inbox-sessions.ts';
import { type NodeId, type Pair, type PairNode, preparePair, statusOf } from '../support/pair.ts';
import {
  answersTo,
  expectedAnswers,
  mastersByTerm,
  oneMaster,
  requestMail,
  SETTLED_MS,
} from '../support/pair-world.ts';
import { eventually } from '../support/process.ts';
import { eximIsIdle } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim');

/** They wait for timeouts of the nodes most of the time. */
vi.setConfig({ maxConcurrency: 6 });

const TIMEOUT_MS = 120_000;
/** Longer than any step of a handoff is waited for, so that each has been given up. */
const CUT_MS = 6_000;

/** `audio2` gives the mailbox away, `audio` takes it. */
const STEPS: readonly (readonly [NodeId, string])[] = [
  ['audio2', 'before close inbox'],
  ['audio2', 'after close inbox'],
  ['audio2', 'before role grant'],
  ['audio2', 'after role grant'],
  ['audio', 'before line replica entry'],
  ['audio', 'before role master'],
  ['audio', 'after role master'],
  ['audio', 'before open inbox'],
  ['audio', 'after open inbox'],
];

let servers: MailServers;
beforeAll(async () => {
  servers = await startMailServers({ logCommands: true });
});
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
});

/** A pair that has answered request 1, `audio2` its master. */
async function running(env: { readonly [Id in NodeId]?: Record<string, string> }): Promise<Pair> {
  const pair = await preparePair({ servers, sshd: false });
  const armed = (id: NodeId): Record<string, string> => ({ ARMED_BY: armedFile(pair), ...env[id] });
  await pair.start({ audio: armed('audio'), audio2: armed('audio2') });
  await pair.join();
  expect((await oneMaster(pair)).id).toBe('audio2');
  await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 1));
  await eventually('the first answer', async () => (await answersTo(servers, pair)).length === 2);
  return pair;
}

/** From when it is there on the moments count at which a node is to die. */
const armedFile = ({ audio }: Pair): string => join(audio.directory, 'armed');

const pidOf = (node: PairNode): number => node.child().process.pid ?? 0;

/** Resolves when the process stands still. */
async function standing(node: PairNode): Promise<void> {
  await eventually(`${node.id} to stand still`, async () => {
    const stat = await readFile(`/proc/${pidOf(node)}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  });
}

const dead = (node: PairNode): Promise<unknown> =>
  eventually(`${node.id} to die`, () => node.child().process.signalCode === 'SIGKILL');

/** In the end there is one master, there never were two, and each mail was answered once. */
async function expectOrder(pair: Pair, mails: number): Promise<void> {
  const begun = performance.now();
  await oneMaster(pair, SETTLED_MS);
  expect(performance.now() - begun).toBeLessThan(SETTLED_MS);
  await servers.dovecot.deliver(pair.mailbox, requestMail(pair, mails));
  const all = expectedAnswers(mails);
  await eventually(
    'all mails to be answered',
    async () => (await answersTo(servers, pair)).length >= all.length,
    60_000,
    250,
  );
  await eximIsIdle(servers);
  expect(await answersTo(servers, pair)).toEqual(all);
  expect(overlapsOf(await inboxSessions(servers.dovecot, pair.mailbox))).toEqual([]);
  for (const [term, masters] of await mastersByTerm(pair)) {
    expect(masters, `masters of term ${term}`).toHaveLength(1);
  }
}

/** Asks for the handoff with a mail on its way; what becomes of the asking is what a test is about. */
async function promoting(pair: Pair): Promise<{ readonly over: Promise<unknown> }> {
  await writeFile(armedFile(pair), '');
  const over = pair.audio.ctl('promote');
  await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 2));
  return { over };
}

describe('a handoff that breaks leaves one master or none, and contact leads to one', () => {
  test.concurrent.for(STEPS)('%s is killed %s', { timeout: TIMEOUT_MS }, async ([id, moment]) => {
    await using pair = await running({ [id]: { KILL_AT: moment } });
    const { over } = await promoting(pair);
    await dead(pair[id]);
    await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 3));
    await over;
    await pair[id].start();
    await expectOrder(pair, 4);
  });

  test.concurrent.for(STEPS)(
    'the link is cut when %s has come to %s',
    { timeout: TIMEOUT_MS },
    async ([id, moment]) => {
      await using pair = await running({ [id]: { STOP_AT: moment } });
      const { over } = await promoting(pair);
      await standing(pair[id]);
      await pair.setLinks('cut');
      process.kill(pidOf(pair[id]), 'SIGCONT');
      await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 3));
      await over;
      await pair.setLinks('pass');
      await expectOrder(pair, 4);
    },
  );

  const ends = ['audio', 'audio2'] as const;
  test.concurrent.for(ends)(
    'the answer is lost on its way, and %s is killed',
    { timeout: TIMEOUT_MS },
    async (id) => {
      await using pair = await running({ audio2: { STOP_AT: 'after role grant' } });
      const { over } = await promoting(pair);
      await standing(pair.audio2);
      const lost = loseNextAnswer(pair);
      process.kill(pidOf(pair.audio2), 'SIGCONT');
      await lost;
      process.kill(pidOf(pair[id]), 'SIGKILL');
      await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 3));
      await over;
      await pair.setLinks('pass');
      await pair[id].start();
      await expectOrder(pair, 4);
    },
  );

  test.concurrent('the link becomes a black hole in the middle', { timeout: TIMEOUT_MS }, async () => {
    await using pair = await running({ audio2: { STOP_AT: 'after close inbox' } });
    const { over } = await promoting(pair);
    await standing(pair.audio2);
    await pair.setLinks('blackhole');
    process.kill(pidOf(pair.audio2), 'SIGCONT');
    await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 3));
    await over;
    await new Promise((resolve) => setTimeout(resolve, CUT_MS));
    await pair.setLinks('pass');
    await expectOrder(pair, 4);
  });
});

/** Cuts all ways when the next bytes come back from the giver; resolves when that has happened. */
async function loseNextAnswer(pair: Pair): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  pair.audio2.rpc.watch(({ from }) => {
    if (from !== 'server') return null;
    pair.audio2.rpc.watch(null);
    resolve();
    return 'cut';
  });
  await promise;
  await pair.setLinks('cut');
}

describe('promote --force', () => {
  test.concurrent(
    'takes the mailbox of a dead master, which steps back when it returns',
    { timeout: TIMEOUT_MS },
    async () => {
      await using pair = await running({});
      process.kill(pidOf(pair.audio2), 'SIGKILL');
      await dead(pair.audio2);
      await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 2));
      const untyped = await pair.audio.ctlTyping('no', 'promote', '--force');
      expect(untyped.code, untyped.out).toBe(2);
      const forced = await pair.audio.ctlTyping('audio2', 'promote', '--force');
      expect(forced.code, forced.out).toBe(0);
      expect((await statusOf(pair.audio)).role).toBe('master');
      await eventually('the second answer', async () => (await answersTo(servers, pair)).length === 4);
      await pair.audio2.start();
      expect((await oneMaster(pair)).id).toBe('audio');
      await expectOrder(pair, 3);
    },
  );

  test.concurrent(
    'fences a master that was cut off: it closes its inbox on contact and says so',
    { timeout: TIMEOUT_MS },
    async () => {
      await using pair = await running({});
      await pair.setLinks('cut');
      const forced = await pair.audio.ctlTyping('audio2', 'promote', '--force');
      expect(forced.code, forced.out).toBe(0);
      expect((await statusOf(pair.audio)).role).toBe('master');
      await pair.setLinks('pass');
      expect((await oneMaster(pair)).id).toBe('audio');
      const open = (await inboxSessions(servers.dovecot, pair.mailbox)).filter(
        ({ toUs }) => toUs === Infinity,
      );
      expect(open).toHaveLength(1);
      expect((await statusOf(pair.audio2)).leadership.join('\n')).not.toBe('');
    },
  );
});

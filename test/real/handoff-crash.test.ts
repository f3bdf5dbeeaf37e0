import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { kindsTo } from '../support/cases.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { inboxSessions, overlapsOf } from '../support/inbox-sessions.ts';
import { type NodeId, type Pair, type PairNode, preparePair, statusOf, withLogs } from '../support/pair.ts';
import {
  answersTo,
  expectedAnswers,
  mastersByTerm,
  oneMaster,
  READY_MS,
  requestMail,
} from '../support/pair-world.ts';
import { eventually } from '../support/process.ts';
import { eximIsIdle } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim');

/** They wait for timeouts of the nodes most of the time. */
vi.setConfig({ maxConcurrency: 6 });

const TIMEOUT_MS = 120_000;
/** In which the pair is to have one master again, once its nodes are in contact. */
const SETTLED_MS = 10_000;
/** So long a way is cut: the steps of a handoff have been tried in vain meanwhile. */
const CUT_MS = 3_000;

/** `audio2` gives the mailbox away, `audio` takes it. */
const STEPS: readonly (readonly [NodeId, string])[] = [
  ['audio2', 'before close inbox'],
  ['audio2', 'after close inbox'],
  ['audio2', 'before role grant'],
  ['audio2', 'after role grant'],
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
  await using stack = new AsyncDisposableStack();
  const pair = stack.use(await preparePair({ servers, sshd: false }));
  const armed = (id: NodeId): Record<string, string> => ({ ARMED_BY: armedFile(pair), ...env[id] });
  await pair.start({ audio: armed('audio'), audio2: armed('audio2') });
  await pair.join();
  expect((await oneMaster(pair)).id).toBe('audio2');
  await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 1));
  await eventually(
    'the first answer',
    async () => (await answersTo(servers, pair)).length === 2,
    READY_MS,
    200,
  );
  stack.move();
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

const roleOf = async (node: PairNode): Promise<string> => (await statusOf(node)).role;

const dead = (node: PairNode): Promise<unknown> =>
  eventually(`${node.id} to die`, () => node.child().process.signalCode === 'SIGKILL');

/** In the end there is one master, there never were two, and each mail was answered once. */
function expectOrder(pair: Pair, mails: number, more: readonly string[] = []): Promise<void> {
  return withLogs(pair, () => expectOrderNow(pair, mails, more));
}

async function expectOrderNow(pair: Pair, mails: number, more: readonly string[]): Promise<void> {
  await oneMaster(pair, SETTLED_MS);
  await servers.dovecot.deliver(pair.mailbox, requestMail(pair, mails));
  const all = [...expectedAnswers(mails), ...more];
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

/** Asks for it when the mail has been taken and its entry of the ledger is all that is to be sent. */
async function promotingWithTail(pair: Pair): Promise<{ readonly over: Promise<unknown> }> {
  await writeFile(armedFile(pair), '');
  await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 2));
  await standing(pair.audio2);
  const over = pair.audio.ctl('promote');
  await eventually('the handoff to be asked for', async () => (await roleOf(pair.audio)) === 'candidate');
  process.kill(pidOf(pair.audio2), 'SIGCONT');
  return { over };
}

describe('a handoff that breaks leaves one master or none, and contact leads to one', () => {
  test.concurrent.for(STEPS)('%s is killed %s', { timeout: TIMEOUT_MS }, async ([id, moment]) => {
    await using pair = await running({ [id]: { KILL_AT: moment } });
    const { over } = await promoting(pair);
    await dead(pair[id]);
    await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 3));
    await pair[id].start();
    await expectOrder(pair, 4);
    await over;
  });

  test.concurrent.for(STEPS)(
    'the other is killed when %s has come to %s',
    { timeout: TIMEOUT_MS },
    async ([id, moment]) => {
      await using pair = await running({ [id]: { STOP_AT: moment } });
      const other = pair.peerOf(pair[id]);
      const { over } = await promoting(pair);
      await standing(pair[id]);
      process.kill(pidOf(other), 'SIGKILL');
      process.kill(pidOf(pair[id]), 'SIGCONT');
      await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 3));
      await dead(other);
      await other.start();
      await expectOrder(pair, 4);
      await over;
    },
  );

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
      await sleep(CUT_MS);
      await pair.setLinks('pass');
      await expectOrder(pair, 4);
      await over;
    },
  );

  const untilTail = { audio2: { STOP_AT: 'after line entry' } };

  test.concurrent(
    'audio is killed before it has the rest of the ledger',
    { timeout: TIMEOUT_MS },
    async () => {
      await using pair = await running({ ...untilTail, audio: { KILL_AT: 'before line replica entry' } });
      const { over } = await promotingWithTail(pair);
      await dead(pair.audio);
      await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 3));
      await pair.audio.start();
      await expectOrder(pair, 4);
      await over;
    },
  );

  test.concurrent(
    'the link is cut when audio has the rest of the ledger',
    { timeout: TIMEOUT_MS },
    async () => {
      await using pair = await running({ ...untilTail, audio: { STOP_AT: 'after line replica entry' } });
      const { over } = await promotingWithTail(pair);
      await standing(pair.audio);
      await pair.setLinks('cut');
      process.kill(pidOf(pair.audio), 'SIGCONT');
      await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 3));
      await sleep(CUT_MS);
      await pair.setLinks('pass');
      await expectOrder(pair, 4);
      await over;
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
      await pair.setLinks('pass');
      await pair[id].start();
      await expectOrder(pair, 4);
      await over;
    },
  );

  test.concurrent('the link becomes a black hole in the middle', { timeout: TIMEOUT_MS }, async () => {
    await using pair = await running({ audio2: { STOP_AT: 'after close inbox' } });
    const { over } = await promoting(pair);
    await standing(pair.audio2);
    await pair.setLinks('blackhole');
    process.kill(pidOf(pair.audio2), 'SIGCONT');
    await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 3));
    await sleep(CUT_MS);
    await pair.setLinks('pass');
    await expectOrder(pair, 4);
    await over;
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

/** Waits until the other node has all of the master's ledger. */
const replicated = (pair: Pair): Promise<unknown> =>
  eventually('the ledger to be copied', async () => (await statusOf(pair.audio2)).peer?.ledgerBehind === 0);

/** A person opens a mail, or marks it as unread. */
async function flags({ mailbox }: Pair, how: 'add' | 'remove', number: number): Promise<void> {
  const which = ['header', 'message-id', `<pedido-${number}@mail.example.test>`];
  await servers.dovecot.doveadm('flags', how, '-u', mailbox, '\\Seen', 'mailbox', 'INBOX', ...which);
}

async function doubtsOf(node: PairNode): Promise<{ readonly id: string; readonly subject: string }[]> {
  return (JSON.parse((await node.ctl('doubt', 'list', '--json')).out) as { doubts: [] }).doubts;
}

describe('promote --force', () => {
  test.concurrent(
    'takes the mailbox of a dead master, which steps back when it returns',
    { timeout: TIMEOUT_MS },
    async () => {
      await using pair = await running({});
      // What the master deals with alone is known to the other by the copy of its ledger, and by nothing else.
      await servers.dovecot.deliver(pair.mailbox, requestMail(pair, 99, 'INICIO=31/02/2025'));
      await eventually('the refusal', async () => (await answersTo(servers, pair)).includes('099 refusal'));
      await replicated(pair);
      process.kill(pidOf(pair.audio2), 'SIGKILL');
      await dead(pair.audio2);
      // What was answered looks new, and what nobody has taken looks as if it had been.
      for (const number of [1, 99]) await flags(pair, 'remove', number);
      for (const number of [2, 3]) await servers.dovecot.deliver(pair.mailbox, requestMail(pair, number));
      await flags(pair, 'add', 3);
      const untyped = await pair.audio.ctlTyping('no', 'promote', '--force');
      expect(untyped.code, untyped.out).toBe(2);
      const forced = await pair.audio.ctlTyping('audio2', 'promote', '--force');
      expect(forced.code, forced.out).toBe(0);
      expect((await statusOf(pair.audio)).role).toBe('master');
      await eventually('the second answer', async () =>
        (await answersTo(servers, pair)).includes('002 result'),
      );
      const [doubt, ...others] = await doubtsOf(pair.audio);
      expect([doubt?.subject, others]).toEqual([expect.stringContaining('RAMAIS=7003'), []]);
      await eventually('the admin to be told', async () =>
        (await kindsTo(servers, pair.admin)).includes('notice'),
      );
      const taken = await pair.audio.ctl('doubt', 'resolve', doubt?.id ?? '', '--take');
      expect(taken.code, taken.out).toBe(0);
      await pair.audio2.start();
      expect((await oneMaster(pair)).id).toBe('audio');
      await expectOrder(pair, 4, ['099 refusal']);
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

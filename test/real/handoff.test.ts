import { afterAll, beforeAll, expect } from 'vitest';
import { createImapMailbox } from '../../node/mail/imap-mailbox.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { createLog } from '../../node/platform/log.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { inboxSessions, overlapsOf } from '../support/inbox-sessions.ts';
import { preparePair } from '../support/pair.ts';
import {
  answersTo,
  expectedAnswers,
  mastersOf,
  oneMaster,
  requestMail,
  terms,
} from '../support/pair-world.ts';
import { eventually } from '../support/process.ts';
import { eximIsIdle } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim');

const HANDOFFS = 20;
const MAILS = 200;
const TIMEOUT_MS = 180_000;
/** What the handoff is to take, the start of node-ctl included. */
const PROMOTE_MS = 2_000;

let servers: MailServers;
beforeAll(async () => {
  servers = await startMailServers({ logCommands: true });
});
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
});

describe('handing the mailbox to and fro', () => {
  test(
    `${HANDOFFS} times under a stream of ${MAILS} mails answers each once, with never two at the inbox`,
    { timeout: TIMEOUT_MS },
    async ({ annotate }) => {
      await using pair = await preparePair({ servers });
      await pair.start();
      await pair.join();
      await oneMaster(pair);
      const firstTerm = (await terms(pair)).newest;

      let sent = 0;
      const stream = async (until: number): Promise<void> => {
        for (; sent < until;) {
          sent += 1;
          await servers.dovecot.deliver(pair.mailbox, requestMail(pair, sent));
        }
      };
      const tookMs: number[] = [];
      let master = pair.audio2;
      for (let handoff = 1; handoff <= HANDOFFS; handoff += 1) {
        const next = pair.peerOf(master);
        const begun = performance.now();
        const [promoted] = await Promise.all([
          // By turns from either end.
          handoff % 4 === 0 ? master.ctl('demote') : next.ctl('promote'),
          stream((handoff * MAILS) / HANDOFFS),
        ]);
        tookMs.push(performance.now() - begun);
        expect(promoted.code, promoted.out).toBe(0);
        expect(await mastersOf(pair)).toEqual([next.id]);
        expect((await terms(pair)).newest).toBe(firstTerm + handoff);
        master = next;
      }
      await eventually(
        'all mails to be answered',
        async () => (await answersTo(servers, pair)).length >= 2 * MAILS,
        TIMEOUT_MS,
        500,
      );
      await eximIsIdle(servers);
      expect(await answersTo(servers, pair)).toEqual(expectedAnswers(MAILS));
      const sessions = await inboxSessions(servers.dovecot, pair.mailbox);
      expect(sessions.length).toBeGreaterThanOrEqual(HANDOFFS);
      expect(overlapsOf(sessions)).toEqual([]);

      const sorted = tookMs.toSorted((a, b) => a - b);
      const median = sorted[Math.floor(sorted.length / 2)] ?? Infinity;
      await annotate(`a handoff took ${Math.round(median)} ms, at most ${Math.round(sorted.at(-1) ?? 0)} ms`);
      expect(median).toBeLessThan(PROMOTE_MS);
    },
  );
});

test('two sessions that have the inbox selected at once are seen in the log', async () => {
  const user = 'dois@example.test';
  const { dovecot } = servers;
  const mailbox = createImapMailbox({
    ...{ host: dovecot.host, port: dovecot.imapPort, tls: 'none', ca: null, mailbox: 'INBOX' },
    ...{ user, password: dovecot.password, clock: systemClock },
    log: createLog({ level: 'error', style: 'terminal', write: () => undefined }),
  });
  const { signal } = new AbortController();
  for (let turn = 0; turn < 2; turn += 1) await (await mailbox.open(signal)).close();
  expect(overlapsOf(await inboxSessions(dovecot, user))).toEqual([]);
  const first = await mailbox.open(signal);
  await (await mailbox.open(signal)).close();
  await first.close();
  const sessions = await eventually('the log', async () => {
    const logged = await inboxSessions(dovecot, user);
    return logged.length === 4 && logged.every(({ toUs }) => toUs < Infinity) ? logged : null;
  });
  expect(overlapsOf(sessions)).toHaveLength(1);
});

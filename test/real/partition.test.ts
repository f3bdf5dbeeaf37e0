import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { inboxSessions, overlapsOf } from '../support/inbox-sessions.ts';
import { makeNamespaces, type Namespaces } from '../support/namespaces.ts';
import { preparePair, statusOf } from '../support/pair.ts';
import { answersTo, expectedAnswers, mastersOf, oneMaster, requestMail } from '../support/pair-world.ts';
import { eventually } from '../support/process.ts';
import { eximIsIdle, jobsOf } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim', 'sshd', 'netns');

const CUT_MS = 60_000;
const TIMEOUT_MS = 240_000;
/** Requests a second, and for how long before and after the cut. */
const PER_SECOND = 1;
const AROUND_MS = 5_000;

let servers: MailServers;
let namespaces: Namespaces;
beforeAll(async () => {
  [servers, namespaces] = await Promise.all([startMailServers({ logCommands: true }), makeNamespaces()]);
});
afterAll(async () => {
  await namespaces?.[Symbol.asyncDispose]();
  await servers?.[Symbol.asyncDispose]();
});

describe('two hosts', () => {
  test(
    `whose link is cut for ${CUT_MS / 1000} s under load lose no request and double none`,
    { timeout: TIMEOUT_MS },
    async ({ annotate }) => {
      await using pair = await preparePair({ servers, namespaces });
      await pair.start();
      await pair.join();
      expect((await oneMaster(pair)).id).toBe('audio2');
      const before = await statusOf(pair.audio2);

      let sent = 0;
      const load = async (forMs: number): Promise<void> => {
        for (const until = performance.now() + forMs; performance.now() < until;) {
          sent += 1;
          await servers.dovecot.deliver(pair.mailbox, requestMail(pair, sent));
          await sleep(1000 / PER_SECOND);
        }
      };
      await load(AROUND_MS);
      await namespaces.setLink(false);
      await load(CUT_MS);
      // Nobody takes over by himself, and everybody has been told that the request is there.
      expect(await mastersOf(pair)).toEqual(['audio2']);
      const confirmed = (await answersTo(servers, pair)).filter((line) => line.endsWith(' confirmation'));
      expect(confirmed.length).toBeGreaterThanOrEqual(sent - 2 * PER_SECOND - 3);
      await namespaces.setLink(true);
      const healed = performance.now();
      await load(AROUND_MS);

      await eventually(
        'all requests to be answered',
        async () => (await answersTo(servers, pair)).length >= 2 * sent,
        TIMEOUT_MS / 2,
        500,
      );
      await annotate(
        `${sent} requests, the last answered ${Math.round((performance.now() - healed) / 1000)} s after the cut`,
      );
      await eximIsIdle(servers);
      expect(await answersTo(servers, pair)).toEqual(expectedAnswers(sent));
      await eventually('all jobs to be settled', async () => {
        const open = await jobsOf(pair.audio2, 'pending', 'processing');
        return open.length === 0;
      });
      const outcomes = (await jobsOf(pair.audio2, 'completed', 'failed')).map(({ outcome }) => outcome?.by);
      expect(new Set(outcomes)).toEqual(new Set(['audio']));
      const after = await statusOf(pair.audio2);
      expect([after.role, after.term]).toEqual([before.role, before.term]);
      expect(overlapsOf(await inboxSessions(servers.dovecot, pair.mailbox))).toEqual([]);
    },
  );
});

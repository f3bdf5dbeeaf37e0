import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createForwardPair, type ForwardPair } from '../../support/forward-pair.ts';
import { newJob } from '../../support/jobs.ts';
import { eventually } from '../../support/process.ts';

const RACES = 40;

let pair: ForwardPair;
beforeEach(async () => {
  pair = await createForwardPair();
});
afterEach(() => pair[Symbol.asyncDispose]());

/** A mail that `audio2` takes. */
async function ask(name: string): Promise<string> {
  const { job } = await pair.audio2.spool.accept(newJob(name, { lane: 'forward' }));
  return job!.id;
}

const ended = (count: number): Promise<unknown> =>
  eventually(`${count} jobs to end at both`, () =>
    [pair.audio, pair.audio2].every(
      ({ spool }) => spool.count('completed') + spool.count('failed') === count,
    ),
  );
const mailsOf = (id: string): string[] =>
  pair.mails.filter(({ job }) => job === id).map(({ node, kind }) => `${kind} from ${node}`);

const mailsOfFailures = () => pair.mails.filter(({ kind }) => kind === 'failed');

describe('a request for recordings that the peer has', () => {
  test('is confirmed by the node that took it with the place in the peer’s queue, then answered by the peer', async () => {
    const id = await ask('a');
    await ended(1);
    expect(mailsOf(id)).toEqual(['confirmation from audio2', 'result from audio']);
    expect(pair.mails[0]?.text).toContain('Situação: já estamos preparando o resultado');
    expect((await pair.audio2.spool.read(id))?.outcome).toMatchObject({ kind: 'done', by: 'audio' });
    expect((await pair.audio.spool.read(id))?.outcome).not.toHaveProperty('by');
  });

  test('goes by a file where calls do not get through, and is closed when they do again', async () => {
    pair.audio2.peer.link = 'down';
    pair.audio.peer.link = 'down';
    const id = await ask('a');
    await eventually('the result', () => mailsOf(id).length === 2);
    expect(mailsOf(id).toSorted()).toEqual(['confirmation from audio2', 'result from audio']);
    expect(pair.mails.find(({ kind }) => kind === 'confirmation')?.text).toContain(
      'aguardando o outro servidor',
    );
    expect(pair.audio2.dropbox.files.size).toBe(1);
    pair.audio.peer.link = 'up';
    await ended(1);
    expect((await pair.audio2.spool.read(id))?.outcome).toMatchObject({ kind: 'done', by: 'audio' });
  });

  test('that the peer refuses is told as a failure by the node that took it', async () => {
    const wrong = newJob('a', { lane: 'forward' });
    const params = { ...wrong.request.params, server: 'nenhum' };
    await pair.audio2.spool.accept({ ...wrong, request: { ...wrong.request, params } });
    await eventually('the refusal', () => pair.mails.some(({ kind }) => kind === 'failed'));
    expect(pair.mails.filter(({ kind }) => kind === 'failed')).toMatchObject([{ node: 'audio2' }]);
    expect(pair.audio.spool.ids(null)).toEqual([]);
  });

  test('that the peer has no room for is told as a failure at once, and dropped there by no other way', async () => {
    pair.audio.space.leave(0.9);
    const id = await ask('a');
    await eventually('the failure', () => mailsOfFailures().length === 1);
    expect((await pair.audio2.spool.read(id))?.outcome).toMatchObject({ code: 'node.disk-low' });
    expect((await pair.audio2.spool.read(id))?.attempts).toBe(1);
    expect(pair.audio2.dropbox.files.size).toBe(0);
    expect(pair.audio.spool.ids(null)).toEqual([]);
    expect(mailsOfFailures()).toMatchObject([{ node: 'audio2' }]);
  });

  test('that fails at the peer is told by the peer alone', async () => {
    pair.audio.failing.code = 'recordings.unreadable';
    const id = await ask('a');
    await eventually('the end', () => pair.audio2.spool.stateOf(id) === 'failed');
    const outcome = { kind: 'failed', code: 'recordings.unreadable', by: 'audio' };
    expect((await pair.audio2.spool.read(id))?.outcome).toMatchObject(outcome);
    await eventually('the mail', () => pair.mails.some(({ kind }) => kind === 'failed'));
    expect(pair.mails.filter(({ kind }) => kind === 'failed')).toMatchObject([{ node: 'audio' }]);
    expect(pair.audio2.spool.ids(null)).toEqual([id]);
  });

  test('that failed at the peer is tried there again when it is retried where it was taken', async () => {
    pair.audio.failing.code = 'recordings.unreadable';
    const id = await ask('a');
    await eventually('the end', () => pair.audio2.spool.stateOf(id) === 'failed');
    pair.audio.failing.code = null;
    await pair.audio2.spool.reopen(id);
    await eventually('the result', () => pair.audio2.spool.stateOf(id) === 'completed');
    expect(pair.audio.searched).toEqual([id, id]);
    expect(mailsOf(id)).toEqual(['confirmation from audio2', 'result from audio']);
  });

  test('that is cancelled where it was taken ends at both, and the requester is told once', async () => {
    pair.audio.worker.pause();
    const id = await ask('a');
    await eventually('it to be there', () => pair.audio.spool.get(id) !== undefined);
    await eventually('that to be noted', () => pair.audio2.spool.get(id)?.notBefore != null);
    expect(await pair.audio2.forwarder.cancel(pair.audio2.spool.get(id)!)).toBe(true);
    pair.audio.worker.resume();
    await eventually('the end', () => pair.audio2.spool.stateOf(id) === 'failed');
    expect((await pair.audio2.spool.read(id))?.outcome).toMatchObject({ kind: 'cancelled', by: 'audio' });
    await eventually('the mail', () => pair.mails.some(({ kind }) => kind === 'failed'));
    expect(pair.mails.filter(({ kind }) => kind === 'failed')).toMatchObject([{ node: 'audio' }]);
    expect(pair.audio.searched).toEqual([]);
  });
});

test('in many races of a call whose answer is lost with a file, each request is one job with one result', async () => {
  const links = ['up', 'answers-lost', 'down'] as const;
  let turn = 0;
  pair.audio2.peer.before = async () => {
    turn += 1;
    pair.audio2.peer.link = links[(turn * 7) % 3]!;
  };
  const ids: string[] = [];
  for (let count = 0; count < RACES; count += 1) ids.push(await ask(`race ${count}`));
  const finished = eventually('all to end', () => pair.audio2.spool.count('completed') === RACES, 15_000, 50);
  const unblocking = eventually(
    'the calls to be mixed',
    () => {
      // `down` never reaches `before`, which would then decide nothing more.
      if (pair.audio2.peer.link === 'down') pair.audio2.peer.link = 'answers-lost';
      return pair.audio2.spool.count('completed') === RACES;
    },
    15_000,
  );
  await Promise.all([finished, unblocking]);
  expect(pair.audio.spool.ids(null)).toHaveLength(RACES);
  expect(pair.audio.searched.toSorted()).toEqual(ids.toSorted());
  for (const id of ids) {
    expect(mailsOf(id).filter((mail) => mail.startsWith('result'))).toEqual(['result from audio']);
    expect(mailsOf(id).filter((mail) => mail.startsWith('confirmation')).length).toBeLessThanOrEqual(1);
  }
  expect(pair.audio2.dropbox.files.size).toBeGreaterThan(RACES / 10);
}, 30_000);

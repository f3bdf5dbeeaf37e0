import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createWebPublisher } from '../../../node/delivery/web-publisher.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { isMissing } from '../../../node/platform/durable.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryPublisher } from '../../support/memory-publisher.ts';
import { temporaryDirectory } from '../../support/process.ts';
import {
  audioObject,
  bodyOf,
  type Fetched,
  JOB,
  OTHER_JOB,
  presignContract,
  publisherContract,
} from '../../support/publisher-contract.ts';

const { signal } = new AbortController();

async function web() {
  const directory = await temporaryDirectory();
  const root = join(directory.path, 'web');
  const publisher = createWebPublisher({ root, nodeId: 'audio' });
  return {
    publisher,
    root,
    now: () => systemClock.now(),
    content: (key: string): Promise<Buffer | null> =>
      readFile(join(root, 'audio', key)).catch((error: unknown) => {
        if (isMissing(error)) return null;
        throw error;
      }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

publisherContract(describe, 'web', web);

function memory() {
  const clock = fixedClock();
  const publisher = createMemoryPublisher(clock);
  return {
    publisher,
    now: () => clock.now(),
    content: async (key: string) => publisher.objects.get(key)?.content ?? null,
    presign: publisher.presign!,
    inAnHour: clock.now().add({ hours: 1 }),
    fetch: async (url: string): Promise<Fetched> => {
      const { status, object, content } = publisher.open(url);
      return {
        status,
        body: content ?? Buffer.alloc(0),
        contentType: object?.contentType ?? null,
        disposition: object === undefined ? null : `${object.disposition}; filename="${object.fileName}"`,
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

publisherContract(describe, 'memory', async () => memory());
presignContract(describe, 'memory', async () => memory());

describe('the web publisher', () => {
  test('keeps files under node and job, for its own user alone, and no temporary ones', async () => {
    await using made = await web();
    await made.publisher.put(audioObject(JOB, 'a.wav'), bodyOf(1), signal);
    expect(await readdir(join(made.root, 'audio', JOB))).toEqual(['a.wav']);
    expect((await stat(join(made.root, 'audio', JOB, 'a.wav'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(made.root, 'audio', JOB))).mode & 0o777).toBe(0o700);
  });

  test('removes a job also where the node had another id when it was published', async () => {
    await using made = await web();
    const old = createWebPublisher({ root: made.root, nodeId: 'audio-velho' });
    await old.put(audioObject(JOB, 'a.wav'), bodyOf(1), signal);
    await old.put(audioObject(OTHER_JOB, 'a.wav'), bodyOf(1), signal);
    await writeFile(join(made.root, 'leia-me.txt'), '');
    expect(old.place).not.toBe(made.publisher.place);
    await made.publisher.removeJob(JOB, signal, old.place);
    expect(await readdir(join(made.root, 'audio-velho'))).toEqual([OTHER_JOB]);
  });

  test('leaves no temporary file of a body that breaks off', async () => {
    await using made = await web();
    const body = Readable.from(
      (function* broken() {
        yield Buffer.alloc(100_000);
        throw new Error('broke off');
      })(),
    );
    await expect(made.publisher.put(audioObject(JOB, 'a.wav'), body, signal)).rejects.toMatchObject({
      code: 'publish.unavailable',
    });
    expect(await readdir(join(made.root, 'audio', JOB))).toEqual([]);
  });

  test('makes no links: what it holds is served by the node', async () => {
    await using made = await web();
    expect(made.publisher.presign).toBeNull();
  });

  test('tells of jobs in pages, whatever NODE_ID was, and of nothing else', async () => {
    await using made = await web();
    const jobs = Array.from({ length: 1_001 }, (_, index) => index.toString(16).padStart(64, '0'));
    for (const job of jobs) await mkdir(join(made.root, 'audio-velho', job), { recursive: true });
    for (const other of ['audio/leia-me', `audio/${JOB}x`, JOB]) {
      await mkdir(join(made.root, other), { recursive: true });
    }
    await writeFile(join(made.root, 'leia-me.txt'), '');
    const pages: (readonly string[])[] = [];
    for await (const page of made.publisher.jobs(signal)) pages.push(page);
    expect(pages.map(({ length }) => length)).toEqual([1_000, 1]);
    expect(pages.flat().toSorted()).toEqual(jobs);
  });

  test('counts what a crash left half-written as of its job, and a directory without anything', async () => {
    await using made = await web();
    const folder = join(made.root, 'audio', JOB);
    await mkdir(folder, { recursive: true });
    await utimes(folder, 1_000, 1_000);
    const newest = async () => (await made.publisher.newestOf(JOB, signal))?.epochMilliseconds;
    expect(await newest()).toBe(1_000_000);
    await writeFile(join(folder, '.tmp-a.wav'), 'so');
    await utimes(join(folder, '.tmp-a.wav'), 3_000, 3_000);
    await utimes(folder, 2_000, 2_000);
    expect(await newest()).toBe(3_000_000);
  });

  test('says that the disk did not take it, to be tried again', async () => {
    await using directory = await temporaryDirectory();
    const root = join(directory.path, 'web');
    await writeFile(root, 'a file where the directory should be');
    const publisher = createWebPublisher({ root, nodeId: 'audio' });
    const body = bodyOf(1);
    await expect(publisher.put(audioObject(JOB, 'a.wav'), body, signal)).rejects.toMatchObject({
      code: 'publish.unavailable',
      retriable: true,
    });
    expect(body.destroyed).toBe(true);
  });
});

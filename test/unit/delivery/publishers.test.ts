import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createWebPublisher } from '../../../node/delivery/web-publisher.ts';
import { createPublicApp } from '../../../node/listeners/public.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryPublisher } from '../../support/memory-publisher.ts';
import { temporaryDirectory } from '../../support/process.ts';
import {
  audioObject,
  bodyOf,
  type Fetched,
  JOB,
  OTHER_JOB,
  publisherContract,
} from '../../support/publisher-contract.ts';

const { signal } = new AbortController();

async function web() {
  const directory = await temporaryDirectory();
  const clock = fixedClock();
  const linkKey = Buffer.alloc(32, 7);
  const root = join(directory.path, 'web');
  const options = { root, nodeId: 'audio', publicUrl: 'https://voz.example.test/', linkKey };
  const publisher = createWebPublisher(options);
  const app = createPublicApp({ linkKey, root, nodeId: 'audio', clock, log: silentLog });
  return {
    publisher,
    options,
    root,
    inAnHour: clock.now().add({ hours: 1 }),
    fetch: async (url: string): Promise<Fetched> => {
      const answer = await app.request(url);
      const body = Buffer.from(await answer.arrayBuffer());
      const contentType = answer.headers.get('content-type');
      return {
        status: answer.status,
        body,
        contentType,
        disposition: answer.headers.get('content-disposition'),
      };
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

publisherContract(describe, 'web', web);

publisherContract(describe, 'memory', async () => {
  const clock = fixedClock();
  const publisher = createMemoryPublisher(clock);
  return {
    publisher,
    inAnHour: clock.now().add({ hours: 1 }),
    fetch: async (url) => {
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
});

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
    const old = createWebPublisher({ ...made.options, nodeId: 'audio-velho' });
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

  test('links begin with the public address and name node, job and file', async () => {
    await using made = await web();
    const link = await made.publisher.link(audioObject(JOB, 'a.wav'), made.inAnHour);
    expect(link).toMatch(/^https:\/\/voz\.example\.test\/d\/audio\/(ab){32}\/a\.wav\?e=\d{10}&s=[\w-]{43}$/);
  });

  test('says that the disk did not take it, to be tried again', async () => {
    await using directory = await temporaryDirectory();
    const root = join(directory.path, 'web');
    await writeFile(root, 'a file where the directory should be');
    const publisher = createWebPublisher({
      root,
      nodeId: 'audio',
      publicUrl: 'https://voz.example.test',
      linkKey: Buffer.alloc(32),
    });
    const body = bodyOf(1);
    await expect(publisher.put(audioObject(JOB, 'a.wav'), body, signal)).rejects.toMatchObject({
      code: 'publish.unavailable',
      retriable: true,
    });
    expect(body.destroyed).toBe(true);
  });
});

import { setImmediate as nextTurn } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { expect, type describe as vitestDescribe, test } from 'vitest';
import type { Presign, PublishedObject, Publisher } from '../../node/delivery/publisher.ts';
import { AppError } from '../../node/platform/errors.ts';

/** What a person gets who opens a link. */
export interface Fetched {
  readonly status: number;
  readonly body: Buffer;
  readonly contentType: string | null;
  readonly disposition: string | null;
}

export interface PublisherHarness extends AsyncDisposable {
  readonly publisher: Publisher;
  /** Now, by the clock that stamps what is published. */
  now(): Temporal.Instant;
  /** What lies under a key; null where nothing does. */
  content(key: string): Promise<Buffer | null>;
}

export interface PresignHarness extends AsyncDisposable {
  readonly publisher: Publisher;
  readonly presign: Presign;
  /** An hour from now, by the publisher's clock. */
  readonly inAnHour: Temporal.Instant;
  fetch(url: string): Promise<Fetched>;
}

export const JOB = 'ab'.repeat(32);
export const OTHER_JOB = 'cd'.repeat(32);
const { signal } = new AbortController();

export function audioObject(job: string, fileName: string): PublishedObject {
  return { key: `${job}/${fileName}`, fileName, contentType: 'audio/wav', disposition: 'inline' };
}

/** A body of `megabytes`, made as it is read; its bytes follow from the position. */
export function bodyOf(megabytes: number): Readable {
  return Readable.from(
    (function* chunks() {
      for (let index = 0; index < megabytes * 16; index += 1) yield Buffer.alloc(65_536, index & 0xff);
    })(),
  );
}

/** A body that never ends and gives its next chunk only when asked. */
function endlessBody(onChunk: (count: number) => void): Readable {
  let count = 0;
  return new Readable({
    read() {
      count += 1;
      onChunk(count);
      this.push(Buffer.alloc(65_536));
    },
  });
}

/** What every publisher keeps. `describe` is vitest's, or that of `needs` for one on a real server. */
export function publisherContract(
  describe: typeof vitestDescribe | ReturnType<typeof vitestDescribe.skipIf>,
  label: string,
  make: () => Promise<PublisherHarness>,
): void {
  describe(`a publisher: ${label}`, () => {
    test('stores a body, tells its size, and knows what is not there', async () => {
      await using made = await make();
      const { publisher } = made;
      const object = audioObject(JOB, 'a.wav');
      expect(await publisher.size(object.key, signal)).toBeNull();
      expect(await publisher.put(object, Readable.from([Buffer.from('som')]), signal)).toBe(3);
      expect(await publisher.size(object.key, signal)).toBe(3);
      expect(await publisher.size(`${JOB}/b.wav`, signal)).toBeNull();
      expect(await publisher.size(`${OTHER_JOB}/a.wav`, signal)).toBeNull();
    });

    test('stores a body of many parts byte for byte', async () => {
      await using made = await make();
      const object = audioObject(JOB, 'longa.wav');
      const expected = Buffer.concat(await bodyOf(12).toArray());
      expect(await made.publisher.put(object, bodyOf(12), signal)).toBe(expected.length);
      expect((await made.content(object.key))?.equals(expected)).toBe(true);
    });

    test('replaces an earlier object of the same key', async () => {
      await using made = await make();
      const object = audioObject(JOB, 'a.wav');
      await made.publisher.put(object, Readable.from([Buffer.from('primeira')]), signal);
      await made.publisher.put(object, Readable.from([Buffer.from('outra')]), signal);
      expect(await made.publisher.size(object.key, signal)).toBe(5);
    });

    test.each([1, 12])(
      'leaves nothing of a body that breaks off after %i MB, and passes its error on',
      async (size) => {
        await using made = await make();
        const object = audioObject(JOB, 'a.wav');
        const failure = new AppError('recordings.shrunk', 'broke off', { retriable: true });
        const body = Readable.from(
          (async function* broken() {
            yield* bodyOf(size);
            throw failure;
          })(),
        );
        await expect(made.publisher.put(object, body, signal)).rejects.toBe(failure);
        expect(await made.publisher.size(object.key, signal)).toBeNull();
      },
    );

    test('keeps the earlier object when its successor breaks off', async () => {
      await using made = await make();
      const object = audioObject(JOB, 'a.wav');
      await made.publisher.put(object, Readable.from([Buffer.from('primeira')]), signal);
      const body = new Readable({
        read() {
          this.destroy(new AppError('recordings.unreadable', 'broke off'));
        },
      });
      await expect(made.publisher.put(object, body, signal)).rejects.toMatchObject({
        code: 'recordings.unreadable',
      });
      expect(await made.publisher.size(object.key, signal)).toBe(8);
    });

    test.each([2, 200])(
      'ends with the reason of an abort after %i chunks, the body destroyed',
      async (chunks) => {
        await using made = await make();
        const object = audioObject(JOB, 'a.wav');
        const aborter = new AbortController();
        const reason = new Error('enough');
        const body = endlessBody((count) => {
          if (count === chunks) aborter.abort(reason);
        });
        await expect(made.publisher.put(object, body, aborter.signal)).rejects.toBe(reason);
        expect(body.destroyed).toBe(true);
        expect(await made.publisher.size(object.key, signal)).toBeNull();
        const late = endlessBody(() => undefined);
        await expect(made.publisher.put(object, late, aborter.signal)).rejects.toBe(reason);
        await nextTurn();
        expect(late.destroyed).toBe(true);
      },
    );

    test('removes everything of a job and nothing of another', async () => {
      await using made = await make();
      const { publisher } = made;
      const kept = audioObject(OTHER_JOB, 'a.wav');
      for (const object of [audioObject(JOB, 'a.wav'), audioObject(JOB, 'b.wav'), kept]) {
        await publisher.put(object, Readable.from([Buffer.from('som')]), signal);
      }
      await publisher.removeJob(JOB, signal);
      expect(await publisher.size(`${JOB}/a.wav`, signal)).toBeNull();
      expect(await made.content(`${JOB}/a.wav`)).toBeNull();
      expect((await made.content(kept.key))?.toString()).toBe('som');
      await publisher.removeJob(JOB, signal);
    });

    test('tells each job of which anything lies there, and how old the newest of it is', async () => {
      await using made = await make();
      const { publisher } = made;
      const found = async (): Promise<string[]> => {
        const pages: string[] = [];
        for await (const page of publisher.jobs(signal)) pages.push(...page);
        return pages.toSorted();
      };
      expect([await found(), await publisher.newestOf(JOB, signal)]).toEqual([[], null]);
      const before = made.now().subtract({ seconds: 2 });
      const jobs = Array.from({ length: 7 }, (_, index) => `${index}`.repeat(64));
      for (const name of ['a.wav', 'b.wav']) {
        for (const job of jobs) {
          await publisher.put(audioObject(job, name), Readable.from([Buffer.from('som')]), signal);
        }
      }
      expect(await found()).toEqual(jobs);
      const newest = await publisher.newestOf('3'.repeat(64), signal);
      expect(Temporal.Instant.compare(newest!, before)).toBe(1);
      expect(Temporal.Instant.compare(newest!, made.now().add({ seconds: 2 }))).toBe(-1);
      await publisher.removeJob('3'.repeat(64), signal);
      expect(await found()).toEqual(jobs.filter((job) => !job.startsWith('3')));
      expect(await publisher.newestOf('3'.repeat(64), signal)).toBeNull();
    });

    test.each(['x/a.wav', `${JOB}/../${OTHER_JOB}/a.wav`, `${JOB}/.a`, `${JOB}/a/b`, JOB])(
      'refuses the key %s',
      async (key) => {
        await using made = await make();
        const object = { ...audioObject(JOB, 'a.wav'), key };
        await expect(made.publisher.put(object, Readable.from([]), signal)).rejects.toMatchObject({
          code: 'publish.bad-key',
        });
      },
    );
  });
}

/** What every publisher keeps that makes links by itself. */
export function presignContract(
  describe: typeof vitestDescribe | ReturnType<typeof vitestDescribe.skipIf>,
  label: string,
  make: () => Promise<PresignHarness>,
): void {
  describe(`links of a publisher: ${label}`, () => {
    test('open what they are of, and say nothing of it once it is gone', async () => {
      await using made = await make();
      const object = audioObject(JOB, 'a.wav');
      await made.publisher.put(object, Readable.from([Buffer.from('som')]), signal);
      const link = await made.presign.link(object, made.inAnHour);
      expect((await made.fetch(link)).status).toBe(200);
      await made.publisher.removeJob(JOB, signal);
      expect((await made.fetch(link)).status).toBe(404);
    });

    test('gives a link that opens this object, with its type and the way to show it', async () => {
      await using made = await make();
      const object = audioObject(JOB, 'a.wav');
      await made.publisher.put(object, Readable.from([Buffer.from('som')]), signal);
      const got = await made.fetch(await made.presign.link(object, made.inAnHour));
      expect({ ...got, body: got.body.toString() }).toEqual({
        status: 200,
        body: 'som',
        contentType: 'audio/wav',
        disposition: 'inline; filename="a.wav"',
      });
      const zip = {
        key: `${JOB}/z.zip`,
        fileName: 'z.zip',
        contentType: 'application/zip',
        disposition: 'attachment',
      } as const;
      await made.publisher.put(zip, Readable.from([Buffer.from('zip')]), signal);
      const saved = await made.fetch(await made.presign.link(zip, made.inAnHour));
      expect(saved).toMatchObject({
        contentType: 'application/zip',
        disposition: 'attachment; filename="z.zip"',
      });
    });

    test('tells that its links live as long as wanted, its credentials being lasting', async () => {
      await using made = await make();
      const end = await made.presign.linksUntil(made.inAnHour);
      expect(end?.toString()).toBe(made.inAnHour.toString());
    });
  });
}

import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { RecordingQuery, RecordingSource } from '../../node/recordings/source.ts';
import { gsm, recordingName, wav, WAV_BYTES_PER_SECOND } from './audio.ts';

/** Makes a source that holds these files, by key. */
export type MakeSource = (
  files: Readonly<Record<string, Buffer>>,
) => Promise<{ readonly source: RecordingSource } & AsyncDisposable>;

const { signal } = new AbortController();

function query(changes: Partial<RecordingQuery> = {}): RecordingQuery {
  return {
    extensions: ['1121'],
    start: '2025-10-27T00:00:00',
    end: '2025-10-27T23:59:59',
    server: null,
    ...changes,
  };
}

/** What every source of recordings keeps. */
export function sourceContract(label: string, make: MakeSource): void {
  describe(`a source of recordings: ${label}`, () => {
    test('finds an extension as caller and as called, whole numbers only, sorted by time', async () => {
      const called = recordingName('2000', '1121', '20251027-090000');
      const calling = recordingName('1121', '2000', '20251027-080000');
      await using made = await make({
        [called]: wav(100),
        [calling]: wav(200),
        [recordingName('11210', '2000', '20251027-080000')]: wav(100),
        [recordingName('112', '2000', '20251027-080000')]: wav(100),
      });
      const { recordings } = await made.source.find(query(), signal);
      expect(recordings).toEqual([
        {
          key: calling,
          origin: '1121',
          destination: '2000',
          startedAt: '2025-10-27T08:00:00',
          sizeBytes: 200,
          format: 'wav',
        },
        {
          key: called,
          origin: '2000',
          destination: '1121',
          startedAt: '2025-10-27T09:00:00',
          sizeBytes: 100,
          format: 'wav',
        },
      ]);
    });

    test('includes the first and the last second of the range, and nothing beside them', async () => {
      const stamps = ['20251027-075959', '20251027-080000', '20251027-180059', '20251027-180100'];
      const files = stamps.map((stamp) => [recordingName('1121', '2000', stamp), wav(100)]);
      await using made = await make(Object.fromEntries(files) as Record<string, Buffer>);
      const range = query({ start: '2025-10-27T08:00:00', end: '2025-10-27T18:00:59' });
      const { recordings } = await made.source.find(range, signal);
      expect(recordings.map((one) => one.startedAt)).toEqual(['2025-10-27T08:00:00', '2025-10-27T18:00:59']);
    });

    test('finds recordings below any directories and passes over what is no recording', async () => {
      const key = `cliente/2025/10/27/${recordingName('1121', '2000', '20251027-080000')}`;
      await using made = await make({
        [key]: wav(100),
        'cliente/notas.txt': wav(100),
        'x-1121-y.wav': wav(100),
      });
      const found = await made.source.find(query(), signal);
      expect(found.recordings.map((one) => one.key)).toEqual([key]);
      expect(found.unreadable).toEqual([]);
    });

    test('narrows to a server where a directory is called like it, in any case of letters', async () => {
      const name = recordingName('1121', '2000', '20251027-080000');
      await using made = await make({ [`GV1P/${name}`]: wav(100), [`gv2p/${name}`]: wav(100) });
      const found = await made.source.find(query({ server: 'gv1p' }), signal);
      expect(found.recordings.map((one) => one.key)).toEqual([`GV1P/${name}`]);
      expect(found.narrowedByServer).toBe(true);
    });

    test('narrows to a server by the system name in the unique part', async () => {
      const ours = recordingName('1121', '2000', '20251027-080000', 'gv1p-1761548400.7');
      await using made = await make({
        [ours]: wav(100),
        [recordingName('1121', '2000', '20251027-080000', 'gv2p-1761548400.8')]: wav(100),
      });
      const found = await made.source.find(query({ server: 'gv1p' }), signal);
      expect(found.recordings.map((one) => one.key)).toEqual([ours]);
      expect(found.narrowedByServer).toBe(true);
    });

    test('says so where nothing tells servers apart, and then gives everything', async () => {
      await using made = await make({ [recordingName('1121', '2000', '20251027-080000')]: wav(100) });
      const found = await made.source.find(query({ server: 'gv1p' }), signal);
      expect(found).toMatchObject({ recordings: [{}], narrowedByServer: false });
      expect((await made.source.find(query(), signal)).narrowedByServer).toBeNull();
    });

    test('opens a recording as exactly the bytes it has', async () => {
      const content = wav(300_000, 7);
      await using made = await make({ [recordingName('1121', '2000', '20251027-080000')]: content });
      const { recordings } = await made.source.find(query(), signal);
      const opened = await made.source.open(recordings[0]!, signal);
      if (typeof opened === 'string') throw new Error(opened);
      expect(opened).toMatchObject({ sizeBytes: 300_000, fault: null });
      expect((await buffer(opened.stream)).equals(content)).toBe(true);
    });

    test('tells how long a recording is, and whether browsers play it, of whatever size', async () => {
      const names = [
        recordingName('1121', '2000', '20251027-080000'),
        recordingName('1121', '2000', '20251027-090000', '1761548400.8', 'gsm'),
        recordingName('1121', '2000', '20251027-100000'),
      ];
      const contents = [wav(44 + 90 * WAV_BYTES_PER_SECOND), gsm(100), wav(44 + 160)];
      await using made = await make(Object.fromEntries(names.map((name, index) => [name, contents[index]!])));
      const { recordings } = await made.source.find(query(), signal);
      const facts: unknown[] = [];
      for (const [index, recording] of recordings.entries()) {
        const opened = await made.source.open(recording, signal);
        if (typeof opened === 'string') throw new Error(opened);
        facts.push(opened.audio);
        expect((await buffer(opened.stream)).equals(contents[index]!)).toBe(true);
      }
      expect(facts).toEqual([
        { seconds: 90, playable: true },
        { seconds: 2, playable: false },
        { seconds: 0.01, playable: true },
      ]);
    });

    test('tells what is near a search, of each extension on both sides, or that it cannot', async () => {
      const near = [
        recordingName('2000', '1121', '20251026-235959'),
        recordingName('1121', '2001', '20251028-000000'),
        recordingName('3000', '2000', '20251025-120000'),
      ];
      const beyond = [
        recordingName('1121', '2000', '20251025-080000'),
        recordingName('1121', '2000', '20251029-080000'),
        recordingName('11210', '2000', '20251026-235959'),
      ];
      await using made = await make(Object.fromEntries([...near, ...beyond].map((name) => [name, wav(100)])));
      const found = await made.source.nearby(query({ extensions: ['3000', '1121', '4000'] }), signal);
      if (found === null) return;
      expect(found.extensions).toEqual([
        {
          extension: '3000',
          before: { startedAt: '2025-10-25T12:00:00', origin: '3000', destination: '2000' },
          after: null,
        },
        {
          extension: '1121',
          before: { startedAt: '2025-10-26T23:59:59', origin: '2000', destination: '1121' },
          after: { startedAt: '2025-10-28T00:00:00', origin: '1121', destination: '2001' },
        },
        { extension: '4000', before: null, after: null },
      ]);
      expect([null, { first: '2025-10-20', last: '2025-11-03' }]).toContainEqual(found.days);
    });

    test('tells what is near on a server where that is told apart, else on all', async () => {
      const [far, nearer] = ['20251024-080000', '20251025-080000'];
      await using made = await make({
        [`GV1P/${recordingName('1121', '2000', far)}`]: wav(100),
        [recordingName('1121', '2000', nearer, 'gv2p-1761548400.8')]: wav(100),
        [recordingName('1121', '2000', '20251026-080000')]: wav(100),
      });
      const before = async (server: string): Promise<string | undefined> =>
        (await made.source.nearby(query({ server }), signal))?.extensions[0]?.before?.startedAt;
      const told = [await before('gv1p'), await before('gv2p'), await before('gv3p')];
      const expected = ['2025-10-24T08:00:00', '2025-10-25T08:00:00', '2025-10-26T08:00:00'];
      expect(told).toEqual(told.includes(undefined) ? [undefined, undefined, undefined] : expected);
    });

    test('tells an empty and a vanished recording from one to deliver', async () => {
      const key = recordingName('1121', '2000', '20251027-080000');
      await using made = await make({ [key]: Buffer.alloc(44) });
      const { recordings } = await made.source.find(query(), signal);
      expect(await made.source.open(recordings[0]!, signal)).toBe('empty');
      expect(await made.source.open({ ...recordings[0]!, key: `not/${key}` }, signal)).toBe('vanished');
    });

    test('measures what a search would find, or says that it cannot before it has searched', async () => {
      await using made = await make({
        [recordingName('1121', '2000', '20251027-080000')]: wav(100),
        [recordingName('2000', '1121', '20251027-090000', 'gv1p-1761548400.7')]: wav(250),
        [recordingName('1121', '2000', '20251028-080000')]: wav(400),
      });
      // One that can measure at all measures all of these.
      const measured = [
        await made.source.measure(query(), signal),
        await made.source.measure(query({ server: 'gv1p' }), signal),
        await made.source.measure(query({ extensions: ['3000'] }), signal),
      ];
      const numbers = [
        { count: 2, bytes: 350 },
        { count: 1, bytes: 250 },
        { count: 0, bytes: 0 },
      ];
      expect(measured).toEqual(measured.includes(null) ? [null, null, null] : numbers);
      const reason = new Error('enough');
      const aborted = await made.source.measure(query(), AbortSignal.abort(reason)).catch((error) => error);
      expect([reason, null]).toContain(aborted);
    });

    test('ends a search whose signal has aborted with its reason', async () => {
      await using made = await make({});
      const reason = new Error('enough');
      await expect(made.source.find(query(), AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}

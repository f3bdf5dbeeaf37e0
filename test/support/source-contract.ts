import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { RecordingQuery, RecordingSource } from '../../node/recordings/source.ts';
import { recordingName, wav } from './audio.ts';

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

import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { readZip } from '../../demo/zip-reader.ts';
import { deliver } from '../../node/delivery/deliver.ts';
import { openTranscoder } from '../../node/delivery/open-transcoder.ts';
import type { Transcoder } from '../../node/delivery/transcoder.ts';
import { createWebPublisher } from '../../node/delivery/web-publisher.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { createLog, silentLog } from '../../node/platform/log.ts';
import { audioFactsOf, BEGINNING_BYTES } from '../../node/recordings/audio-facts.ts';
import { createDiskSource } from '../../node/recordings/disk-source.ts';
import { recordingName } from '../support/audio.ts';
import { allRecordings } from '../support/delivery.ts';
import { temporaryDirectory } from '../support/process.ts';
import { absolutePathOf } from '../support/programs.ts';
import { JOB } from '../support/publisher-contract.ts';
import { recordingTree } from '../support/recording-tree.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('sox', 'ffmpeg');
const run = promisify(execFile);
const { signal } = new AbortController();
const SECONDS = 3;

/** What Asterisk writes and browsers do not play: format, and how SoX makes one. */
const FORMATS = [
  ['gsm', ['-t', 'gsm']],
  ['wav', ['-t', 'wav', '-e', 'gsm-full-rate']],
  ['wav49', ['-t', 'wav', '-e', 'gsm-full-rate']],
  ['wav', ['-t', 'wav', '-e', 'ima-adpcm']],
  ['ulaw', ['-t', 'ul']],
  ['alaw', ['-t', 'al']],
  ['sln', ['-t', 's16']],
  ['sln16', ['-r', '16000', '-t', 's16']],
] as const;

/** A tone of some seconds, as a program makes it. */
async function tone(as: readonly string[]): Promise<Buffer> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'a');
  const rate = as[0] === '-r' ? [] : ['-r', '8000'];
  await run('sox', [
    '-n',
    ...rate,
    '-c',
    '1',
    ...as,
    path,
    'synth',
    String(SECONDS),
    'sine',
    '440',
    'vol',
    '0.5',
  ]);
  return await readFile(path);
}

/** A transcoder that finds only these programs, and what it logs. */
async function transcoderOf(...names: readonly string[]) {
  const directory = await temporaryDirectory();
  const bin = join(directory.path, 'bin');
  await mkdir(bin);
  for (const name of names) await symlink(absolutePathOf(name), join(bin, name));
  const logged: string[] = [];
  const log = createLog({ level: 'debug', style: 'terminal', write: (line) => logged.push(line) });
  const own = join(directory.path, 'playing');
  const transcoder = await openTranscoder({ directory: own, path: bin, clock: systemClock, log });
  return { transcoder: transcoder!, own, logged, [Symbol.asyncDispose]: directory[Symbol.asyncDispose] };
}

async function converted(transcoder: Transcoder, content: Buffer, format: string): Promise<Buffer | null> {
  const made = await transcoder.toPlayable(Readable.from([content]), format, signal);
  if (made === null) return null;
  const bytes = await buffer(made.stream);
  expect(bytes.length).toBe(made.sizeBytes);
  return bytes;
}

/** How far it is from silence, and from another recording: root mean square of samples of 16 bits. */
function loudness(wav: Buffer): number {
  const samples = new Int16Array(Uint8Array.from(wav.subarray(-16_000)).buffer);
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

describe.each(['sox', 'ffmpeg'])('by %s', (program) => {
  test('all that Asterisk writes becomes a WAV that browsers play, as long and as loud', async () => {
    await using made = await transcoderOf(program);
    expect(made.transcoder.name).toBe(program);
    for (const [format, as] of FORMATS) {
      const original = await tone(as);
      expect(audioFactsOf(format, original.length, original.subarray(0, BEGINNING_BYTES)).playable).toBe(
        false,
      );
      const wav = await converted(made.transcoder, original, format);
      expect(wav, `${format}: ${made.logged.at(-1)}`).not.toBeNull();
      const facts = audioFactsOf('wav', wav!.length, wav!.subarray(0, BEGINNING_BYTES));
      expect(facts.playable).toBe(true);
      expect(facts.seconds).toBeCloseTo(SECONDS, 0);
      // A sine of half the scale: 16384 / √2.
      expect(loudness(wav!)).toBeGreaterThan(9_000);
      expect(loudness(wav!)).toBeLessThan(13_000);
    }
    expect(await readdir(made.own)).toEqual([]);
  });

  test('what is no recording is told of in the log and nothing is left on disk', async () => {
    await using made = await transcoderOf(program);
    expect(
      await converted(made.transcoder, Buffer.from('no WAV at all, whatever it is called'), 'wav'),
    ).toBeNull();
    expect(made.logged.join()).toContain(`${program} ended with`);
    // What lists other files is not followed: no format but the one told is looked for.
    await writeFile(join(made.own, 'secret'), await tone(['-t', 'wav']));
    const playlist = `#EXTM3U\n#EXTINF:1\nfile://${join(made.own, 'secret')}\n`;
    expect(await converted(made.transcoder, Buffer.from(playlist), 'wav')).toBeNull();
    expect(await readdir(made.own)).toEqual(['secret']);
  });
});

test('G.722 is what ffmpeg is for where both are there, and sox does the rest', async () => {
  await using both = await transcoderOf('sox', 'ffmpeg');
  await using directory = await temporaryDirectory();
  const [wav, g722] = ['a.wav', 'a.g722'].map((name) => join(directory.path, name));
  await writeFile(wav!, await tone(['-t', 'wav']));
  await run('ffmpeg', ['-loglevel', 'error', '-i', wav!, '-ar', '16000', '-ac', '1', '-f', 'g722', g722!]);
  const made = await converted(both.transcoder, await readFile(g722!), 'g722');
  expect(audioFactsOf('wav', made!.length, made!.subarray(0, BEGINNING_BYTES)).seconds).toBeCloseTo(
    SECONDS,
    1,
  );
  expect(both.transcoder.name).toBe('sox');
  await using alone = await transcoderOf('sox');
  expect(await converted(alone.transcoder, await readFile(g722!), 'g722')).toBeNull();
});

test('a delivery by web has what was converted beside the originals, which lie in the ZIP', async () => {
  const [gsm, wav49, wav] = [await tone(['-t', 'gsm']), await tone(FORMATS[1][1]), await tone(['-t', 'wav'])];
  const names = ['gsm', 'WAV', 'wav'].map((format, index) =>
    recordingName('1121', `200${index}`, '20251027-080000', '1761548400.7', format),
  );
  await using tree = await recordingTree({ [names[0]!]: gsm, [names[1]!]: wav49, [names[2]!]: wav });
  await using made = await transcoderOf('sox', 'ffmpeg');
  const source = createDiskSource({
    root: tree.root,
    order: 'origin-dest',
    clock: systemClock,
    log: silentLog,
  });
  const root = join(tree.root, '..', 'results');
  const { items, zips } = await deliver({
    ...{ source, publisher: createWebPublisher({ root, nodeId: 'audio' }), transcoder: made.transcoder },
    ...{ job: JOB, recordings: await allRecordings(source), expiresAt: systemClock.now().add({ hours: 1 }) },
    archiving: { level: 1, maxBytes: 1_000_000_000, maxFiles: 1000 },
    ...{ space: async () => 1_000_000_000, clock: systemClock, log: silentLog, signal },
  });
  const base = (index: number): string => `${JOB}/20251027-080000_1121_200${index}`;
  expect(
    items.map(({ playable, playKey, seconds }) => [playable, playKey, Math.round(seconds ?? 0)]),
  ).toEqual([
    [false, `${base(0)}.tocar.wav`, SECONDS],
    [false, `${base(1)}.tocar.wav`, SECONDS],
    [true, null, SECONDS],
  ]);
  for (const { playKey } of items.slice(0, 2))
    expect(loudness(await readFile(join(root, 'audio', playKey!)))).toBeGreaterThan(9_000);
  const entries = readZip(await readFile(join(root, 'audio', zips[0]!.key)));
  expect(entries.slice(0, 3).map(({ content }) => content)).toEqual([gsm, wav49, wav]);
});

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Calls, makeRecordings, type RecordingTree } from '../../../demo/recordings.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

const NOW = Temporal.ZonedDateTime.from('2025-10-28T14:30:00[America/Sao_Paulo]');

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let tree: RecordingTree;
let calls: Calls;

beforeAll(async () => {
  directory = await temporaryDirectory();
  tree = await makeRecordings(directory.path, NOW);
  calls = tree.callsOf(['1121', '1122']);
});

afterAll(async () => {
  await tree.endCall();
  await directory[Symbol.asyncDispose]();
});

describe('the recordings of the demo', () => {
  test('are whole WAV files of telephone audio, each with a voice in it', async () => {
    expect(calls.whole.length).toBeGreaterThan(15);
    for (const path of calls.whole) {
      const file = await readFile(path);
      expect(file.readUInt32LE(4), path).toBe(file.length - 8);
      expect(file.readUInt32LE(24)).toBe(8000);
      expect((file.length - 44) / 16_000).toBeGreaterThanOrEqual(3);
      const samples = new Int16Array(file.buffer, file.byteOffset + 44, (file.length - 44) / 2);
      expect(samples.reduce((loudest, sample) => Math.max(loudest, sample))).toBeGreaterThan(10_000);
    }
  });

  test('are named as the PBX names them, none in the future', () => {
    for (const path of calls.whole) {
      const stamp = /^internal-\d+-\d+-(\d{8}-\d{6})-\d+\.\d+\.wav$/.exec(basename(path))?.[1] ?? 'no name';
      expect(stamp >= '20251026-000000' && stamp <= '20251028-143000', path).toBe(true);
    }
  });

  test('are found by who took part in them', () => {
    const { whole, growing } = tree.callsOf(['1130']);
    expect(growing).toBeNull();
    expect(whole.length).toBeGreaterThan(5);
    for (const path of whole) expect(basename(path).split('-').slice(1, 3)).toContain('1130');
    expect(tree.callsOf(['9999'])).toEqual({ whole: [], empty: [], growing: null });
  });

  test('hold empty calls, and one that goes on until it is ended', async () => {
    expect(calls.empty.length).toBeGreaterThan(0);
    for (const path of calls.empty) expect((await readFile(path)).length).toBe(44);
    const growing = calls.growing ?? '';
    const before = (await readFile(growing)).length;
    await eventually('the call has grown', async () => (await readFile(growing)).length > before);
    await tree.endCall();
    const ended = await readFile(growing);
    expect(ended.readUInt32LE(4)).toBe(ended.length - 8);
  });
});

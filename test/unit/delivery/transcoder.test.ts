import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { FFMPEG } from '../../../node/delivery/ffmpeg-transcoder.ts';
import { openTranscoder } from '../../../node/delivery/open-transcoder.ts';
import { createProgramTranscoder } from '../../../node/delivery/program-transcoder.ts';
import { SOX } from '../../../node/delivery/sox-transcoder.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createLog } from '../../../node/platform/log.ts';
import { wav } from '../../support/audio.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

const { signal } = new AbortController();

/** A shell script called sox or ffmpeg; `$out` is where its output is to lie. */
async function setup(
  scripts: Readonly<Record<string, string>>,
  limits: { maxMs?: number; maxBytes?: number; space?: () => Promise<number | null> } = {},
) {
  const directory = await temporaryDirectory();
  const bin = join(directory.path, 'bin');
  await mkdir(bin);
  const find = 'for out in "$@"; do case $out in /*.wav) break;; esac; done';
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(bin, name), `#!/bin/sh\nulimit -f 20000\n${find}\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  }
  const own = join(directory.path, 'playing');
  const logged: string[] = [];
  const log = createLog({ level: 'debug', style: 'terminal', write: (line) => logged.push(line) });
  const open = () => openTranscoder({ directory: own, path: `relative:${bin}`, clock: systemClock, log });
  const limited = () =>
    createProgramTranscoder({
      programs: [{ ...SOX, path: join(bin, 'sox') }],
      ...{ directory: own, clock: systemClock, log, ...limits },
    });
  return { open, limited, own, bin, logged, [Symbol.asyncDispose]: directory[Symbol.asyncDispose] };
}

/** The process that a script has noted. */
async function leftBy(own: string): Promise<number> {
  const name = (await readdir(own)).find((one) => one.endsWith('.pid'));
  return Number(await readFile(join(own, name!), 'utf8'));
}

const body = (content = wav(1000)): Readable => Readable.from([content]);
const COPY = 'cat > "$out"';

describe('a transcoder', () => {
  test('gives what the program has made, of which nothing lies on disk any more', async () => {
    await using made = await setup({ sox: COPY });
    const transcoder = (await made.open())!;
    const converted = (await transcoder.toPlayable(body(), 'wav', signal))!;
    expect(converted.sizeBytes).toBe(1000);
    expect(await readdir(made.own)).toEqual([]);
    expect((await buffer(converted.stream)).equals(wav(1000))).toBe(true);
    expect((await stat(made.own)).mode & 0o777).toBe(0o700);
  });

  test('is told nothing of this process but where to write', async () => {
    await using made = await setup({ sox: 'cat > /dev/null; env > "$out"; echo "$@" >> "$out"' });
    const transcoder = (await made.open())!;
    process.env['PARELHA_SECRET'] = 'the secret';
    try {
      const { stream } = (await transcoder.toPlayable(body(), 'gsm', signal))!;
      const said = (await buffer(stream)).toString();
      expect(said).not.toContain('secret');
      expect(said).toMatch(/-t gsm - -t wav .*\.wav trim 0 14400/);
    } finally {
      delete process.env['PARELHA_SECRET'];
    }
  });

  test.each([
    ['fails', 'cat > /dev/null; echo "what a mess" >&2; exit 3', 'sox ended with 3: what a mess'],
    ['dies', 'kill -9 $$', 'sox ended with'],
    ['makes nothing', 'cat > /dev/null', 'ENOENT'],
  ])('that %s is told of in the log, and there is nothing to play', async (_, script, told) => {
    await using made = await setup({ sox: script });
    const transcoder = (await made.open())!;
    expect(await transcoder.toPlayable(body(), 'wav', signal)).toBeNull();
    expect(made.logged.join()).toContain(told);
    expect(await readdir(made.own)).toEqual([]);
  });

  test('that makes an empty recording has nothing to play', async () => {
    await using made = await setup({ sox: 'head -c 44 > "$out"; cat > /dev/null' });
    expect(await (await made.open())!.toPlayable(body(), 'wav', signal)).toBeNull();
  });

  test('is not asked where what it may make would fill the disk, however many go on', async () => {
    const space = async () => 150_000;
    await using made = await setup({ sox: COPY }, { maxBytes: 100_000, space });
    await made.open();
    const transcoder = made.limited();
    const two = await Promise.all([1, 2].map(() => transcoder.toPlayable(body(), 'wav', signal)));
    const next = await transcoder.toPlayable(body(), 'wav', signal);
    for (const converted of [...two, next]) converted?.stream.destroy();
    expect([...two, next].map((one) => one?.sizeBytes)).toEqual([1000, undefined, 1000]);
    expect(made.logged.join()).toContain('transcode.no-space');
  });

  test('may stop listening before all is said', async () => {
    await using made = await setup({ sox: 'head -c 100 > "$out"' });
    const converted = (await (await made.open())!.toPlayable(body(wav(5_000_000)), 'wav', signal))!;
    expect((await buffer(converted.stream)).length).toBe(100);
  });

  test.each([
    ['hangs', 'sleep 60', { maxMs: 300 }, 'transcode.too-slow'],
    [
      'makes no end',
      'while :; do head -c 200000 /dev/zero; sleep 0.05; done > "$out"',
      { maxBytes: 100_000 },
      'transcode.too-large',
    ],
  ])('that %s is ended', async (_, script, limits, code) => {
    await using made = await setup({ sox: script }, limits);
    await made.open();
    expect(await made.limited().toPlayable(body(), 'wav', signal)).toBeNull();
    expect(made.logged.join()).toContain(code);
    expect(await readdir(made.own)).toEqual([]);
  });

  test('is ended with all that it has begun', async () => {
    await using made = await setup({ sox: 'sleep 60 & echo $! > "$out.pid"; wait' }, { maxMs: 500 });
    await made.open();
    expect(await made.limited().toPlayable(body(), 'wav', signal)).toBeNull();
    const pid = await leftBy(made.own);
    await eventually('its end', async () =>
      /\bState:\s+[ZX]/.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State: X')),
    );
  });

  test('leaves nothing behind, and holds nobody up by what it has left', async () => {
    await using made = await setup({ sox: 'cat > "$out"; sleep 60 & echo $! > "$out.pid"' });
    const { stream } = (await (await made.open())!.toPlayable(body(), 'wav', signal))!;
    stream.destroy();
    const pid = await leftBy(made.own);
    await eventually('its end', async () =>
      /\bState:\s+[ZX]/.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State: X')),
    );
  });

  test('holds nobody up either by what has left its group', async () => {
    const away = `setsid sh -c 'echo $$ > "$0"; exec sleep 60' "$out.pid" &`;
    const script = `cat > "$out"; ${away} while [ ! -s "$out.pid" ]; do sleep 0.01; done`;
    await using made = await setup({ sox: script }, { maxMs: 500 });
    await made.open();
    expect(await made.limited().toPlayable(body(), 'wav', signal)).toBeNull();
    expect(made.logged.join()).toContain('transcode.too-slow');
    process.kill(await leftBy(made.own), 'SIGKILL');
  });

  test('ends with its signal, and with its reason', async () => {
    await using made = await setup({ sox: 'echo $$ > "$out.pid"; exec sleep 60' });
    const transcoder = (await made.open())!;
    const aborter = new AbortController();
    const input = body();
    const converting = transcoder.toPlayable(input, 'wav', aborter.signal);
    const pid = await eventually('a process', async () => {
      const name = (await readdir(made.own)).find((one) => one.endsWith('.pid'));
      return Number(await readFile(join(made.own, name!), 'utf8'));
    });
    aborter.abort(new Error('enough'));
    await expect(converting).rejects.toThrow('enough');
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(input.destroyed).toBe(true);
    const late = body();
    await expect(transcoder.toPlayable(late, 'wav', aborter.signal)).rejects.toThrow('enough');
    expect(late.destroyed).toBe(true);
  });

  test('is ended where the recording breaks off', async () => {
    await using made = await setup({ sox: COPY });
    const breaking = new Readable({
      read() {
        this.push(wav(1000));
        this.destroy(new AppError('recordings.unreadable', 'broke off'));
      },
    });
    expect(await (await made.open())!.toPlayable(breaking, 'wav', signal)).toBeNull();
    expect(made.logged.join()).toContain('recordings.unreadable');
    expect(await readdir(made.own)).toEqual([]);
  });

  test('that was removed from the host is missed in the log alone', async () => {
    await using made = await setup({ sox: COPY });
    const transcoder = (await made.open())!;
    await writeFile(join(made.bin, 'sox'), '#!/nowhere\n');
    expect(await transcoder.toPlayable(body(), 'wav', signal)).toBeNull();
    expect(made.logged.join()).toContain('ENOENT');
  });
});

describe('the programs of a host', () => {
  test('are both used, each for what it knows', async () => {
    await using made = await setup({ sox: COPY, ffmpeg: 'cat > /dev/null; head -c 500 /dev/zero > "$out"' });
    const transcoder = (await made.open())!;
    expect(transcoder.name).toBe('sox');
    const sizes: (number | undefined)[] = [];
    for (const format of ['wav', 'g722', 'ogg']) {
      const input = body();
      const converted = await transcoder.toPlayable(input, format, signal);
      converted?.stream.destroy();
      sizes.push(converted?.sizeBytes);
      expect(input.destroyed).toBe(true);
    }
    expect(sizes).toEqual([1000, 500, undefined]);
  });

  test('may be none, which is said', async () => {
    await using made = await setup({});
    expect(await made.open()).toBeNull();
    expect(made.logged.join()).toContain('neither sox nor ffmpeg');
  });

  test('leave nothing of an earlier run', async () => {
    await using made = await setup({ sox: COPY });
    await made.open();
    await writeFile(join(made.own, 'left.wav'), 'x');
    await made.open();
    expect(await readdir(made.own)).toEqual([]);
  });

  test.each([SOX, FFMPEG])('$name is given nothing that comes from a recording', ({ argumentsFor }) => {
    for (const format of ['wav', 'gsm', '-x', 'wav; id', '__proto__', 'constructor', 'toString']) {
      const given = argumentsFor(format, '/out.wav');
      if (given === null) continue;
      expect(['wav', 'gsm']).toContain(format);
      expect(given.filter((one) => one.includes('/'))).toEqual(['/out.wav']);
    }
  });
});

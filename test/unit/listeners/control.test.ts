import { once } from 'node:events';
import { chmod, mkdir, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ControlListener, openControlSocket } from '../../../node/listeners/control.ts';
import type { NodeControl } from '../../../node/listeners/control-contract.ts';
import { idByPrefix } from '../../../node/queue/id-prefix.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { createDiskSource } from '../../../node/recordings/disk-source.ts';
import { recordingName } from '../../support/audio.ts';
import { fakeNodeControl, jobView, STATUS } from '../../support/node-control.ts';
import { eventually, startChild, temporaryDirectory } from '../../support/process.ts';

const STAMP = '20251027-080000';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let listener: ControlListener | null;
let path: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
  path = join(directory.path, 'run', 'control.sock');
  listener = null;
});
afterEach(async () => {
  await listener?.close();
  await directory[Symbol.asyncDispose]();
});

async function listen(over: Partial<NodeControl> = {}) {
  const control = fakeNodeControl(over);
  listener = await openControlSocket({ path, control, log: silentLog });
  return control;
}

async function post(
  method: string,
  body: string,
  options: { verb?: string; signal?: AbortSignal } = {},
): Promise<{ status: number | undefined; type: string | undefined; body: unknown }> {
  const call = request({
    socketPath: path,
    path: `/control/v1/${method}`,
    method: options.verb ?? 'POST',
    headers: { 'content-type': 'application/json' },
    agent: false,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  call.end(body);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    call.once('response', resolve);
    call.once('error', reject);
  });
  return {
    status: answer.statusCode,
    type: answer.headers['content-type'],
    body: JSON.parse(await text(answer)),
  };
}

describe('the control socket', () => {
  test('is for its owner alone, and so is a directory that had to be made', async () => {
    await listen();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory.path, 'run'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(directory.path, 'run'))).toEqual(['control.sock']);
  });

  test('leaves the mode of a directory that was there', async () => {
    await mkdir(join(directory.path, 'run'));
    await chmod(join(directory.path, 'run'), 0o750);
    await listen();
    expect((await stat(join(directory.path, 'run'))).mode & 0o777).toBe(0o750);
  });

  test('of a daemon that was killed is replaced', async () => {
    await mkdir(join(directory.path, 'run'));
    await using dead = startChild(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`,
    ]);
    await eventually('the first daemon to listen', () => dead.output().includes('up'));
    await dead.end('SIGKILL');
    expect((await stat(path)).isSocket()).toBe(true);
    await listen();
    expect((await post('status', '{}')).status).toBe(200);
  });

  test('of a daemon that lives is refused, and left to it', async () => {
    await listen();
    await expect(
      openControlSocket({ path, control: fakeNodeControl(), log: silentLog }),
    ).rejects.toMatchObject({ code: 'control.in-use' });
    expect((await post('status', '{}')).status).toBe(200);
  });

  test('does not replace a file that is no socket', async () => {
    await mkdir(join(directory.path, 'run'));
    await writeFile(path, 'precious');
    await expect(listen()).rejects.toMatchObject({ code: 'control.in-use' });
  });

  test('that cannot be made is an error that names it', async () => {
    path = join(directory.path, 'x'.repeat(120), 'control.sock');
    await expect(listen()).rejects.toMatchObject({ code: 'control.unavailable' });
  });

  test('is gone after the end, and the place of a successor is left alone', async () => {
    await listen();
    await listener?.close();
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await listen();
    const successor = createServer().listen(`${path}2`);
    await once(successor, 'listening');
    await unlink(path);
    await rename(`${path}2`, path);
    await listener?.close();
    listener = null;
    expect((await stat(path)).isSocket()).toBe(true);
    successor.close();
  });
});

describe('a control call', () => {
  test('gives what the node says', async () => {
    await listen();
    const answer = await post('status', '{}');
    expect(answer).toMatchObject({ status: 200, body: STATUS });
  });

  test('gets checked parameters', async () => {
    const control = await listen();
    control.jobViews = [jobView()];
    await post('jobs', '{"state":"pending","limit":10}');
    expect(control.calls).toEqual([{ method: 'jobs', params: { state: 'pending', limit: 10 } }]);
  });

  test.each([
    ['jobs', '{"state":"lost","limit":10}', 400, 'request.invalid', /^state: /],
    ['jobs', '{"state":null,"limit":100000}', 400, 'request.invalid', /^limit: /],
    ['status', '{"extra":1}', 400, 'request.invalid', /extra/],
    ['status', '{', 400, 'request.invalid', /not JSON/],
    ['job', '{"id":"../../etc"}', 400, 'request.invalid', /hexadecimal/],
    ['job', '{"id":"abcd"}', 404, 'job.not-found', /abcd/],
    ['constructor', '{}', 404, 'control.unknown-method', /version/],
    ['status/deeper', '{}', 404, 'control.unknown-method', /version/],
    ['status', `{"a":"${'x'.repeat(20_000)}"}`, 413, 'control.too-large', /16384/],
  ])('%s with %.40s is answered with a problem', async (method, body, status, code, message) => {
    await listen();
    const answer = await post(method, body);
    expect(answer).toMatchObject({
      status,
      type: 'application/problem+json',
      body: { code, message: expect.stringMatching(message) },
    });
  });

  test('by GET is none', async () => {
    await listen();
    expect(await post('status', '', { verb: 'GET' })).toMatchObject({ status: 404 });
  });

  test('that fails says why, with its code, and the node goes on', async () => {
    const faults = ['RAMAIS: 12 has fewer than 3 digits', 'FIM: before INICIO'].join('\n');
    const log = { ...silentLog, error: vi.fn() };
    const control = fakeNodeControl({
      search: () => Promise.reject(new AppError('request.invalid', faults)),
      status: () => {
        throw new TypeError('broken');
      },
    });
    listener = await openControlSocket({ path, control, log });
    const query = { ramais: '12', inicio: 'a', fim: 'b', server: null, audiosFrom: null, limit: 1 };
    expect(await post('search', JSON.stringify(query))).toMatchObject({
      status: 400,
      body: { code: 'request.invalid', message: faults },
    });
    expect(log.error).not.toHaveBeenCalled();
    expect(await post('status', '{}')).toMatchObject({ status: 500, body: { code: 'unexpected' } });
    expect(log.error).toHaveBeenCalledOnce();
    expect((await post('pause', '{"what":"queue"}')).body).toEqual({ message: 'queue is paused' });
  });

  test('that asks for too much is refused with what to do, which is no failure of the node', async () => {
    const log = { ...silentLog, error: vi.fn() };
    await using made = await temporaryDirectory();
    for (const index of [1, 2])
      await writeFile(join(made.path, recordingName('1121', `200${index}`, STAMP)), '');
    const source = createDiskSource({
      root: made.path,
      order: 'origin-dest',
      clock: systemClock,
      log,
      maxRecordings: 1,
    });
    const range = { start: '2025-10-27T00:00:00', end: '2025-10-27T23:59:59' };
    const control = fakeNodeControl({
      search: async (_query, signal) => {
        await source.find({ extensions: ['1121'], ...range, server: null }, signal);
        throw new Error('it was found');
      },
    });
    listener = await openControlSocket({ path, control, log });
    const query = { ramais: '1121', inicio: 'a', fim: 'b', server: null, audiosFrom: null, limit: 1 };
    expect(await post('search', JSON.stringify(query))).toMatchObject({
      status: 422,
      body: {
        code: 'recordings.too-many',
        message:
          'the search matches 2 recordings, the limit is 1: ask for fewer extensions or a shorter time',
      },
    });
    expect(log.error).not.toHaveBeenCalled();
  });

  test('whose caller hangs up is aborted', async () => {
    const begun = Promise.withResolvers<undefined>();
    const aborted = Promise.withResolvers<undefined>();
    await listen({
      status: async (_params, signal) => {
        signal.addEventListener('abort', () => aborted.resolve(undefined));
        begun.resolve(undefined);
        await aborted.promise;
        return STATUS;
      },
    });
    const caller = new AbortController();
    const call = post('status', '{}', { signal: caller.signal });
    await begun.promise;
    caller.abort();
    await expect(call).rejects.toThrow();
    await aborted.promise;
  });

  test('that ends because its caller hung up is no failure of the node', async () => {
    const begun = Promise.withResolvers<undefined>();
    const log = { ...silentLog, error: vi.fn(), info: vi.fn() };
    const control = fakeNodeControl({
      indexVerify: (_params, signal) => {
        begun.resolve(undefined);
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        });
      },
    });
    listener = await openControlSocket({ path, control, log });
    const caller = new AbortController();
    const call = post('indexVerify', '{"source":null}', { signal: caller.signal });
    await begun.promise;
    caller.abort();
    await expect(call).rejects.toThrow();
    await eventually('the end to be told', () => log.info.mock.calls.length > 0);
    expect(log.error).not.toHaveBeenCalled();
  });

  test('that runs does not hold up the end of the daemon', async () => {
    const begun = Promise.withResolvers<undefined>();
    await listen({
      status: (_params, signal) => {
        begun.resolve(undefined);
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new AppError('aborted', 'the caller is gone')));
        });
      },
    });
    const call = post('status', '{}').catch(() => 'hung up');
    await begun.promise;
    await listener?.close();
    expect(await call).toBe('hung up');
  });

  test('that is not HTTP is dropped', async () => {
    await listen();
    const socket = connect(path);
    socket.on('error', () => undefined);
    socket.end('\u0000\u0001 not http\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    expect((await post('status', '{}')).status).toBe(200);
  });
});

describe('a shortened job id', () => {
  const ids = ['aaaa1111', 'aaaa2222', 'bbbb', 'bbbbcccc'];

  test('names the one job that begins so', () => {
    expect(idByPrefix(ids, 'aaaa1')).toBe('aaaa1111');
    expect(idByPrefix(ids, 'bbbb')).toBe('bbbb');
  });

  test('that fits several, or none, is refused', () => {
    expect(() => idByPrefix(ids, 'aaaa')).toThrow(expect.objectContaining({ code: 'job.ambiguous' }));
    expect(() => idByPrefix(ids, 'cccc')).toThrow(expect.objectContaining({ code: 'job.not-found' }));
  });
});

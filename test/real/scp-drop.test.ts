import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { authorizedKeysLine } from '../../node/pairing/authorized-keys.ts';
import { hostKeysIn } from '../../node/pairing/known-hosts.ts';
import { createScpDrop } from '../../node/forward/scp-drop.ts';
import { makeSshKey, publicKeyOf } from '../../node/platform/openssh-keys.ts';
import { eventually, freePort, temporaryDirectory } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { type Sshd, startSshd } from '../support/sshd.ts';

const { describe, test } = needs('sshd');

const NAME = `${'a'.repeat(64)}.json`;
const CONTENT = Buffer.from(`{"subject":"áéí ${'x'.repeat(60_000)}"}`);
const { signal } = new AbortController();
const SECOND = 1000;

let stack: AsyncDisposableStack;
let directory: string;
let queueDir: string;
let keyFile: string;
let sshd: Sshd;
/** Lets the key of this node in, as pairing does: no reading, no listing, no shell. */
let authorizedLine: string;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  directory = stack.use(await temporaryDirectory()).path;
  queueDir = join(directory, 'queue');
  await mkdir(join(queueDir, 'pending'), { recursive: true });
  keyFile = join(directory, 'ssh.key');
  const key = await makeSshKey('parelha:audio2');
  await writeFile(keyFile, key, { mode: 0o600 });
  authorizedLine = authorizedKeysLine('audio2', await publicKeyOf(key), queueDir);
  sshd = stack.use(await startSshd());
});

afterAll(() => stack.disposeAsync());

beforeEach(async () => {
  await writeFile(sshd.authorizedKeysFile, `${authorizedLine}\n`);
  await rm(join(queueDir, 'pending'), { recursive: true });
  await mkdir(join(queueDir, 'pending'));
});

/** A dropbox that trusts these host keys; by default those that the server has. */
async function dropbox(hostKeys?: readonly string[], more: { port?: number; queueDir?: string } = {}) {
  const sshHostKeys = hostKeys ?? (await sshd.hostKeys());
  const made = createScpDrop({
    ...{ peerId: 'audio', host: sshd.host, port: more.port ?? sshd.port, keyFile },
    knownHostsFile: '/etc/parelha/known_hosts',
    credentials: {
      peer: () => ({
        ...{ peerId: 'audio', certificates: [], tokenKeys: new Map() },
        ...{ sshHostKeys, sshUser: sshd.user, queueDir: more.queueDir ?? queueDir },
      }),
    },
  });
  return { put: made.put, [Symbol.asyncDispose]: made.close };
}

/** Listens, and never says a word. */
const silentServer = (): Server => createServer((socket) => socket.on('error', () => undefined).resume());
const pending = (): Promise<string[]> => readdir(join(queueDir, 'pending'));
const logins = (): number => sshd.log().split('Accepted publickey').length - 1;

describe('a file that is dropped', () => {
  test('lies there whole under its name, for its user alone, with nothing beside it', async () => {
    await using box = await dropbox();
    await box.put(NAME, CONTENT, signal);
    expect(await pending()).toEqual([NAME]);
    const path = join(queueDir, 'pending', NAME);
    expect(await readFile(path)).toEqual(CONTENT);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('takes the place of the one with the same name', async () => {
    await using box = await dropbox();
    await box.put(NAME, CONTENT, signal);
    await box.put(NAME, Buffer.from('{}'), signal);
    expect(await readFile(join(queueDir, 'pending', NAME), 'utf8')).toBe('{}');
    expect(await pending()).toEqual([NAME]);
  });

  test('of a burst goes over one connection', async () => {
    const before = logins();
    await using box = await dropbox();
    const names = Array.from({ length: 20 }, (_, index) => `job-${String(index).padStart(2, '0')}.json`);
    await Promise.all(names.map((name) => box.put(name, CONTENT, signal)));
    expect((await pending()).toSorted()).toEqual(names);
    expect(logins() - before).toBe(1);
  });

  test('arrives where any one of several pinned keys is the server’s', async () => {
    const keys = await sshd.hostKeys();
    for (const key of keys) {
      await using box = await dropbox([key]);
      await box.put(NAME, CONTENT, signal);
    }
    expect(await pending()).toEqual([NAME]);
  });

  test('leaves nothing where there is no place for it', async () => {
    await using box = await dropbox(undefined, { queueDir: join(directory, 'nowhere') });
    await expect(box.put(NAME, CONTENT, signal)).rejects.toMatchObject({
      code: 'drop.rejected',
      retriable: true,
    });
  });

  test('leaves no temporary file where its place cannot be taken', async () => {
    await mkdir(join(queueDir, 'pending', NAME, 'in the way'), { recursive: true });
    await using box = await dropbox();
    await expect(box.put(NAME, CONTENT, signal)).rejects.toMatchObject({ code: 'drop.rejected' });
    expect(await pending()).toEqual([NAME]);
  });

  test.each([['../escape.json'], ['.hidden'], ['a/b.json'], ['']])(
    'is not put under the name %j',
    async (name) => {
      await using box = await dropbox();
      await expect(box.put(name, CONTENT, signal)).rejects.toMatchObject({ code: 'drop.rejected' });
    },
  );

  test('of more than a node takes is not sent', async () => {
    await using box = await dropbox();
    await expect(box.put(NAME, Buffer.alloc(70_000), signal)).rejects.toMatchObject({
      code: 'drop.rejected',
    });
  });
});

describe('a server that is not the one that is known', () => {
  test.each([
    ['other keys than those known', true],
    ['no key known', false],
  ])('with %s is sent nothing: it sees no login and no file', async (_what, isKnown) => {
    const before = await sshd.hostKeys();
    if (isKnown) await sshd.changeHostKeys();
    const seen = sshd.log().length;
    await using box = await dropbox(isKnown ? before : []);
    const error = (await box.put(NAME, CONTENT, signal).catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject({ code: 'drop.host-key', retriable: true });
    await eventually('the server to see it off', () =>
      /closed by|disconnect|reset/i.test(sshd.log().slice(seen)),
    );
    const log = sshd.log().slice(seen);
    expect(log).toMatch(/Connection from/);
    expect(log).not.toMatch(/Accepted|Failed|userauth|authenticating user|subsystem/i);
    expect(await pending()).toEqual([]);

    // The message says what to add, and added, it lets the server pass.
    const line = error.message.slice(error.message.indexOf('known_hosts: ') + 'known_hosts: '.length);
    const { keys } = hostKeysIn(line, sshd);
    expect(await sshd.hostKeys()).toContain(keys[0]);
    await using again = await dropbox(keys);
    await again.put(NAME, CONTENT, signal);
    expect(await pending()).toEqual([NAME]);
  });
});

describe('a server that cannot be used', () => {
  test('does not let this node in', async () => {
    await writeFile(sshd.authorizedKeysFile, '');
    await using box = await dropbox();
    await expect(box.put(NAME, CONTENT, signal)).rejects.toMatchObject({
      code: 'drop.login',
      retriable: true,
    });
  });

  test('is not there, and is used again when it is back', async () => {
    await using box = await dropbox();
    await box.put('first.json', CONTENT, signal);
    await sshd.stop();
    await expect(box.put(NAME, CONTENT, signal)).rejects.toMatchObject({ code: 'drop.unreachable' });
    await sshd.start();
    await box.put(NAME, CONTENT, signal);
    expect((await pending()).toSorted()).toEqual([NAME, 'first.json'].toSorted());
  });

  test('was started again under a kept connection, which nobody notices', async () => {
    await using box = await dropbox();
    await box.put('first.json', CONTENT, signal);
    await sshd.stop();
    await sshd.start();
    await box.put(NAME, CONTENT, signal);
    expect(await pending()).toHaveLength(2);
  });

  test(
    'takes connections and says nothing',
    async () => {
      const port = await freePort();
      await using server = silentServer().listen(port, '127.0.0.1');
      await using box = await dropbox(undefined, { port });
      const begun = performance.now();
      await expect(box.put(NAME, CONTENT, signal)).rejects.toMatchObject({ code: 'drop.timeout' });
      expect(performance.now() - begun).toBeLessThan(10 * SECOND);
      expect(server.listening).toBe(true);
    },
    20 * SECOND,
  );

  test('is left at once when the node stops', async () => {
    const port = await freePort();
    await using server = silentServer().listen(port, '127.0.0.1');
    await using box = await dropbox(undefined, { port });
    const stop = new AbortController();
    const putting = box.put(NAME, CONTENT, stop.signal);
    stop.abort(new Error('stopping'));
    await expect(putting).rejects.toThrow('stopping');
    expect(server.listening).toBe(true);
  });
});

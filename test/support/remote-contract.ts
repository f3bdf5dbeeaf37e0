import { expect, test, type describe as vitestDescribe } from 'vitest';
import { codeOf } from '../../node/platform/errors.ts';
import type { Server } from '../../node/servers/inventory.ts';
import { type Remote, type RemoteFiles, withSession } from '../../node/servers/remote.ts';

/** What the programs of a harness do; each is an argument vector to begin with. */
export interface RemotePrograms {
  /** Prints the arguments that follow it as JSON. */
  readonly words: readonly string[];
  /** Prints its standard input. */
  readonly cat: readonly string[];
  /** Says something on both outputs and ends with status 3. */
  readonly fail: readonly string[];
  /** Says without end. */
  readonly flood: readonly string[];
  /** Ends by itself after a minute. */
  readonly wait: readonly string[];
}

export interface RemoteHarness extends AsyncDisposable {
  readonly remote: Remote;
  readonly server: Server;
  /** An empty directory of the server. */
  readonly directory: string;
  readonly programs: RemotePrograms;
}

const LIMIT = 10_000_000;
const { signal } = new AbortController();
const codeOfFailed = (work: Promise<unknown>): Promise<string> => work.then(() => 'none', codeOf);

/** What every Remote keeps. `describe` is vitest's, or that of `needs` for one on a real server. */
export function remoteContract(
  describe: typeof vitestDescribe | ReturnType<typeof vitestDescribe.skipIf>,
  label: string,
  make: () => Promise<RemoteHarness>,
): void {
  const withFiles = async (
    work: (files: RemoteFiles, directory: string, it: RemoteHarness) => Promise<void>,
  ): Promise<void> => {
    await using it = await make();
    await withSession(it.remote, it.server, signal, async (session) => {
      await work(await session.files(), it.directory, it);
    });
  };

  describe(`programs of a server (${label})`, () => {
    test('are given their arguments as they are, whatever a shell would make of them', async () => {
      await using it = await make();
      const words = [
        'a b',
        '',
        "it's",
        '$(id)',
        '`id`',
        '; rm -rf /',
        '*',
        '~',
        '%1',
        '=ls',
        'A=b',
        '\\',
        '"',
        '!',
        'é',
      ];
      const ran = await withSession(it.remote, it.server, signal, (session) =>
        session.run([...it.programs.words, ...words]),
      );
      expect(ran).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(ran.stdout)).toEqual(words);
    });

    test('are given their input, and give both outputs and their status', async () => {
      await using it = await make();
      await withSession(it.remote, it.server, signal, async (session) => {
        expect(await session.run(it.programs.cat, { input: 'linha\n' })).toMatchObject({
          code: 0,
          stdout: 'linha\n',
        });
        const failed = await session.run(it.programs.fail);
        expect(failed.code).toBe(3);
        expect(failed.stdout).toContain('out');
        expect(failed.stderr).toContain('err');
        expect((await session.run(['no-such-program-of-ours'])).code).toBe(127);
      });
    });

    test('are ended when they take too long or say too much, and the session goes on', async () => {
      await using it = await make();
      await withSession(it.remote, it.server, signal, async (session) => {
        expect(await codeOfFailed(session.run(it.programs.wait, { timeoutMs: 300 }))).toBe('server.timeout');
        expect(await codeOfFailed(session.run(it.programs.flood))).toBe('server.too-much-output');
        expect((await session.run([...it.programs.words, 'x'])).code).toBe(0);
      });
    });
  });

  describe(`files of a server (${label})`, () => {
    test('are read whole as they were written, with the mode that was asked for', () =>
      withFiles(async (files, directory) => {
        for (const size of [0, 1, 32_768, 1_000_000]) {
          const path = `${directory}/of ${size} bytes`;
          const content = Buffer.alloc(size, 'abc\r\n\u00e9');
          await files.create(path, content, { mode: 0o664 });
          expect((await files.read(path, LIMIT)).equals(content)).toBe(true);
          expect(await files.stat(path)).toMatchObject({ kind: 'file', mode: 0o664, sizeBytes: size });
        }
      }));

    test('are not read where they are too large, no files, or not there', () =>
      withFiles(async (files, directory) => {
        await files.create(`${directory}/a`, Buffer.from('four'), { mode: 0o600 });
        expect((await files.read(`${directory}/a`, 4)).toString()).toBe('four');
        expect(await codeOfFailed(files.read(`${directory}/a`, 3))).toBe('server.too-large');
        expect(await codeOfFailed(files.read(directory, LIMIT))).toBe('server.file');
        expect(await codeOfFailed(files.read(`${directory}/b`, LIMIT))).toBe('server.no-file');
        expect(await codeOfFailed(files.read('relative', LIMIT))).toBe('server.file');
      }));

    test('are never written over by creating or renaming, only by replacing', () =>
      withFiles(async (files, directory) => {
        const [one, two, three] = ['one', 'two', 'three'].map((name) => `${directory}/${name}`);
        await files.create(one!, Buffer.from('1'), { mode: 0o600 });
        await files.create(two!, Buffer.from('2'), { mode: 0o600 });
        expect(await codeOfFailed(files.create(one!, Buffer.from('x'), { mode: 0o600 }))).toBe(
          'server.exists',
        );
        expect(await codeOfFailed(files.rename(one!, two!))).toBe('server.exists');
        expect((await files.read(one!, LIMIT)).toString()).toBe('1');
        await files.replace(one!, two!);
        expect((await files.read(two!, LIMIT)).toString()).toBe('1');
        expect(await codeOfFailed(files.stat(one!))).toBe('server.no-file');
        await files.rename(two!, three!);
        expect(await files.list(directory, 10)).toEqual(['three']);
        expect(await codeOfFailed(files.replace(one!, three!))).toBe('server.no-file');
        expect(await codeOfFailed(files.rename(one!, two!))).toBe('server.no-file');
      }));

    test('are removed, and those that are not there are removed already', () =>
      withFiles(async (files, directory) => {
        await files.create(`${directory}/a`, Buffer.from('1'), { mode: 0o600 });
        await files.remove(`${directory}/a`);
        await files.remove(`${directory}/a`);
        expect(await files.list(directory, 10)).toEqual([]);
        expect(
          await codeOfFailed(files.create(`${directory}/none/a`, Buffer.from(''), { mode: 0o600 })),
        ).toBe('server.no-file');
      }));

    test('directories are made once, hold their files together, and are removed empty', () =>
      withFiles(async (files, directory) => {
        const made = `${directory}/made`;
        await files.makeDirectory(made, 0o775);
        expect(await files.stat(made)).toMatchObject({ kind: 'directory', mode: 0o775 });
        expect(await codeOfFailed(files.makeDirectory(made, 0o700))).toBe('server.exists');
        await files.create(`${made}/a`, Buffer.from('1'), { mode: 0o600 });
        await files.create(`${made}/b`, Buffer.from('1'), { mode: 0o600 });
        expect((await files.list(made, 2)).toSorted()).toEqual(['a', 'b']);
        expect(await codeOfFailed(files.list(made, 1))).toBe('server.too-large');
        expect(await codeOfFailed(files.removeDirectory(made))).toBe('server.file');
        await files.rename(made, `${directory}/moved`);
        expect((await files.read(`${directory}/moved/a`, LIMIT)).toString()).toBe('1');
        await files.remove(`${directory}/moved/a`);
        await files.remove(`${directory}/moved/b`);
        await files.removeDirectory(`${directory}/moved`);
        expect(await files.list(directory, 10)).toEqual([]);
        expect(await codeOfFailed(files.list(made, 10))).toBe('server.no-file');
      }));
  });

  describe(`a session (${label})`, () => {
    test('that is over does nothing any more, and says so', async () => {
      await using it = await make();
      const session = await it.remote.open(it.server, signal);
      const files = await session.files();
      session.close();
      session.close();
      expect(await codeOfFailed(session.run(it.programs.words))).toBe('server.unreachable');
      expect(await codeOfFailed(files.list(it.directory, 10))).toBe('server.unreachable');
      expect(await codeOfFailed(session.files())).toBe('server.unreachable');
    });

    test('ends with its signal, whose reason is what was going on comes to', async () => {
      await using it = await make();
      const stop = new AbortController();
      const session = await it.remote.open(it.server, stop.signal);
      const waiting = session.run(it.programs.wait);
      const reason = new Error('enough');
      stop.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      await expect(session.run(it.programs.words)).rejects.toBe(reason);
      await expect(it.remote.open(it.server, stop.signal)).rejects.toBe(reason);
    });
  });
}

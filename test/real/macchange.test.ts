import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { mapBounded } from '../../node/platform/concurrency.ts';
import { codeOf } from '../../node/platform/errors.ts';
import type { MacRequest } from '../../node/servers/mac-phones.ts';
import { MAC_CONTENTS } from '../support/mac-files.ts';
import { makeMacServer, type MacServer } from '../support/mac-server.ts';
import { startRelay } from '../support/relay.ts';
import { needs } from '../support/requirements.ts';
import { type SshWorld, startSshWorld } from '../support/ssh-world.ts';

const { describe, test } = needs('sshd');

const JOB = 'a'.repeat(64);
const { signal } = new AbortController();
const REPLACE: MacRequest = { extension: '3010', from: '010203040506', to: '000b82040599' };
const REMOVE: MacRequest = { ...REPLACE, to: null };
const ADD: MacRequest = { extension: '3012', from: null, to: '000b82040599' };
/** Changes at a time, each in a directory of its own; sshd takes ten that have not logged in yet. */
const AT_ONCE = 3;

/** What the files are after a change that nothing disturbs. */
async function undisturbed(world: SshWorld, request: MacRequest) {
  const it = await makeMacServer(world, join(world.directory, 'undisturbed'));
  const before = await it.served();
  const report = await it.phones.change(it.server, request, JOB, signal);
  return { it, before, report, after: await it.served() };
}

describe('MACCHANGE on a real server', () => {
  test.each([
    ['replaces a MAC', REPLACE],
    ['removes a MAC', REMOVE],
    ['adds a MAC', ADD],
  ])(
    '%s in all files, keeps owner, mode and bytes, has whole backups, notifies, and is taken back to the byte',
    async (_, request) => {
      await using world = await startSshWorld();
      const { it, before, report, after } = await undisturbed(world, request);
      expect(report).toMatchObject({ state: 'changed', refusal: null });
      expect(after).not.toEqual(before);
      const heads = (served: Record<string, string>) =>
        new Set(Object.values(served).map((text) => text.split(' ', 2).join(' ')));
      expect(heads(after)).toEqual(heads(before));
      for (const { path, backup } of report.files) {
        const name = path.slice(it.files.length + 1) as keyof typeof MAC_CONTENTS;
        expect(await readFile(backup ?? '')).toEqual(MAC_CONTENTS[name]);
        expect((await stat(backup ?? '')).mode & 0o777).toBe(0o600);
      }
      expect(await it.notified()).toBe('');
      expect(await readdir(join(it.backups, '.lock'))).toEqual([]);
      expect(await it.phones.change(it.server, request, 'b'.repeat(64), signal)).toMatchObject({
        state: 'already',
      });
      await it.phones.restore(it.server, report.backup ?? '', signal);
      expect(await it.served()).toEqual(before);
    },
  );

  test('refuses another MAC and an extension that is not there, names one that has the MAC already, and touches nothing it refuses', async () => {
    await using world = await startSshWorld();
    const it = await makeMacServer(world, world.directory);
    const before = await it.served();
    const ask = (over: Partial<MacRequest>) =>
      it.phones.change(it.server, { ...REPLACE, ...over }, JOB, signal);
    expect(await ask({ from: '000b82000000' })).toMatchObject({
      state: 'refused',
      refusal: { code: 'mac-differs' },
    });
    expect(await ask({ extension: '3999' })).toMatchObject({ refusal: { code: 'extension-missing' } });
    expect([await it.served(), await it.notified()]).toEqual([before, 'never']);
    expect(await ask({ to: '020000000011' })).toMatchObject({
      state: 'changed',
      duplicates: [{ extension: '3011' }, { extension: '3011' }],
    });
  });

  test('keeps what another program writes between reading and renaming, and leaves all as it was', async () => {
    await using world = await startSshWorld();
    const it: MacServer = await makeMacServer(world, world.directory, {
      before: async (_number, what) => {
        if (what.startsWith('create') && what.includes('-old-endpoints_sip.def'))
          await writeFile(theirs, 'theirs\n');
      },
    });
    const theirs = join(it.files, 'endpoints_sip.def');
    const before = await it.served();
    expect(await it.phones.change(it.server, REPLACE, JOB, signal).then(({ state }) => state, codeOf)).toBe(
      'mac.changed-meanwhile',
    );
    const after = await it.served();
    expect(after['endpoints_sip.def']).toContain('theirs');
    expect({ ...after, 'endpoints_sip.def': '' }).toEqual({ ...before, 'endpoints_sip.def': '' });
  });
});

describe('a connection that is cut', () => {
  /** A change through a relay that cuts the nth chunk from the node, whether that still arrives or not. */
  async function cutAt(world: SshWorld, n: number, arrives: boolean) {
    let sent = 0;
    let isFirst = true;
    await using relay = await startRelay({
      target: world.sshd.port,
      onConnection:
        ({ client, upstream }) =>
        (from) => {
          if (from === 'client' && isFirst) sent += 1;
          if (from !== 'client' || !isFirst || sent !== n) return true;
          setImmediate(() => {
            client.destroy();
            upstream.destroy();
          });
          return arrives;
        },
    });
    const it = await makeMacServer(world, join(world.directory, `${n}-${arrives}`), { port: relay.port });
    const ask = () => it.phones.change(it.server, REPLACE, JOB, signal).then(({ state }) => state, codeOf);
    const first = await ask();
    isFirst = false;
    const left = await it.served();
    const second = await ask();
    return { it, first, left, second, sent };
  }

  // Each packet is cut in one of the two ways; the unit tests cut each operation in both.
  test(
    'at any packet, before or as it arrives, leaves all files or none changed, and the next call ends it',
    { timeout: 300_000 },
    async () => {
      await using world = await startSshWorld();
      const { before, after } = await undisturbed(world, REPLACE);
      const whole = (await cutAt(world, 0, true)).sent;
      expect(whole).toBeGreaterThan(60);
      const seen = new Set<string>();
      await mapBounded(
        Array.from({ length: whole }, (_each, index) => index + 1),
        AT_ONCE,
        async (n) => {
          const { it, first, left, second } = await cutAt(world, n, n % 2 === 0);
          seen.add(first);
          // Where it was cut before anything was touched, the next call clears away what lies beside the files.
          const shown = Object.fromEntries(
            Object.entries(left).filter(([name]) => !name.includes('.parelha-')),
          );
          expect([before, after], `packet ${n}: ${first}`).toContainEqual(shown);
          if (first === 'changed') expect(left, `packet ${n}`).toEqual(after);
          expect(second, `packet ${n}: ${first}`).toBe('changed');
          expect(await it.served(), `packet ${n}: ${first}`).toEqual(after);
          expect(await readdir(join(it.backups, '.lock')), `packet ${n}`).toEqual([]);
        },
      );
      expect(
        [...seen].filter(
          (code) => !['changed', 'mac.failed', 'server.unreachable', 'server.timeout'].includes(code),
        ),
      ).toEqual([]);
      expect(seen).toContain('changed');
      expect(seen).toContain('mac.failed');
    },
  );
});

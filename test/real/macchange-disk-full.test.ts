import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { codeOf } from '../../node/platform/errors.ts';
import { makeMacServer } from '../support/mac-server.ts';
import { needs } from '../support/requirements.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { startSshWorld } from '../support/ssh-world.ts';

const { test } = needs('sshd', 'tmpfs');

const JOB = 'a'.repeat(64);
const REQUEST = { extension: '3010', from: '010203040506', to: '000b82040599' };
const DISK_BYTES = 1024 * 1024;
const { signal } = new AbortController();

test(
  'a disk that is full from any writing step of a MACCHANGE on leaves all files or none changed',
  { timeout: 300_000 },
  async () => {
    await using world = await startSshWorld();
    let whole: Record<string, string> | null = null;
    const seen = new Set<string>();
    // The first of all is left alone, to know what it comes to and at which steps something is written.
    const steps = [0];
    for (const step of steps) {
      await using disk = await mountSmallDisk(DISK_BYTES);
      const it = await makeMacServer(world, disk.path, {
        before: async (number, what) => {
          if (step === 0 && !/^(?:stat|read|list) /.test(what)) steps.push(number);
          if (number === step) await disk.fill();
        },
      });
      const before = await it.served();
      const first = await it.phones
        .change(it.server, REQUEST, JOB, signal)
        .then(({ state }) => state, codeOf);
      if (whole === null) {
        whole = await it.served();
        expect(first).toBe('changed');
        continue;
      }
      seen.add(first);
      const left = await it.served();
      expect(left, `step ${step}: ${first}`).toEqual(first === 'changed' ? whole : before);
      await disk.free();
      expect(await it.phones.change(it.server, REQUEST, JOB, signal), `step ${step}`).toMatchObject({
        state: 'changed',
      });
      expect(await it.served(), `step ${step}`).toEqual(whole);
      expect(await readdir(join(it.backups, '.lock')), `step ${step}`).toEqual([]);
    }
    expect(seen).toContain('changed');
    expect(seen.size).toBeGreaterThan(1);
  },
);

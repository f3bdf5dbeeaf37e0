import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { eventually, startChild } from '../support/process.ts';
import { missingOf, needs } from '../support/requirements.ts';

const { describe, test } = needs();

const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'demo/main.ts');
/** Far more than it takes. */
const DEMO_MS = 80_000;

let temporary: string;

beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'parelha-demo-test-'));
});

afterEach(async () => {
  await rm(temporary, { recursive: true, force: true });
});

function startDemo(...args: string[]): ReturnType<typeof startChild> {
  return startChild(process.execPath, [MAIN, ...args], { env: { ...process.env, TMPDIR: temporary } });
}

/** Where it has got to: its output once that holds a sentence. */
async function until(demo: ReturnType<typeof startChild>, sentence: string): Promise<string> {
  await eventually(sentence, () => demo.output().includes(sentence) || ended(demo), DEMO_MS);
  expect(demo.output()).toContain(sentence);
  return demo.output();
}

const ended = ({ process: child }: ReturnType<typeof startChild>): boolean =>
  child.exitCode !== null || child.signalCode !== null;

describe('the demo', () => {
  test('with --once follows requests by RPC, after a handoff and by SCP, and leaves nothing behind', async () => {
    await using demo = startDemo('--once');
    await eventually('the demo has ended', () => ended(demo), DEMO_MS);
    const output = demo.output();
    expect(demo.process.exitCode, output).toBe(0);
    expect(output).toContain('audio has the job, by RPC');
    expect(output).toMatch(/node-ctl promote .* audio is master of term (\d+)/);
    const terms = [...output.matchAll(/term (\d+) → (\d+)/g)].map(([, ...pair]) => pair.map(Number));
    expect(terms).toHaveLength(3);
    for (const [before = 0, after] of terms) expect(after).toBe(before + 1);
    expect(output).toContain('The way is there again: audio2 stops reading');
    const acts = missingOf(['sshd']).length === 0 ? 3 : 2;
    expect(output).toContain(acts === 3 ? 'by a file in its pending/' : 'apt-get install openssh-server');
    expect(output.match(/byte for byte/g)).toHaveLength(acts);
    // 38 where this machine's disk is not too large to count as full; see demo/alone.ts.
    const kinds = [...output.matchAll(/(\d+) kinds of mail/g)].map(([, count]) => Number(count));
    expect(kinds).toHaveLength(5);
    expect(kinds.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(36);
    expect(output, 'more of the invitation than its beginning').not.toMatch(/parelha-pair-1-[0-9a-f]{9}/);
    expect(await readdir(temporary)).toEqual([]);
  });

  test('serves its page until Ctrl-C, takes subjects from here alone, and can be promoted by hand', async () => {
    await using demo = startDemo();
    await until(demo, 'nothing stays');
    const [, url = ''] = /^ +(http:\S+)$/m.exec(demo.output()) ?? [];
    expect(await (await fetch(url)).text()).toContain('correio da demonstração');
    const get = async <T>(path: string): Promise<T> => (await (await fetch(new URL(path, url))).json()) as T;
    const { kinds } = await get<{ kinds: { id: string }[] }>('kinds');
    const shown = new Set((await get<{ kind: string | null }[]>('mails')).map(({ kind }) => kind));
    const onlyWithLittleDisk = ['disk-low', 'notice-disk-low'];
    expect(
      kinds.map(({ id }) => id).filter((id) => !shown.has(id) && !onlyWithLittleDisk.includes(id)),
    ).toEqual([]);
    const forged = { method: 'POST', body: 'subject=AJUDA', headers: { origin: 'http://example.org' } };
    expect((await fetch(new URL('send', url), forged)).status).toBe(403);

    const [, program = '', config = ''] =
      /^ +(\S+node-ctl) --config (\S+) promote$/m.exec(demo.output()) ?? [];
    await using promote = startChild(join(ROOT, program), ['--config', config, 'promote']);
    await eventually('the promotion', () => ended(promote));
    expect(promote.process.exitCode, promote.output()).toBe(0);
    await until(demo, '⇄ audio is master of term');
    const nodes = await get<{ id: string; role: string }[]>('nodes');
    expect(nodes.find(({ role }) => role === 'master')?.id).toBe('audio');

    await using send = startChild(process.execPath, [MAIN, 'send', '--page', url, '[A1B2C3D4] RAMAIS=12']);
    await eventually('the subject is sent', () => ended(send));
    expect(send.process.exitCode, send.output()).toBe(0);
    await eventually('the answer', async () =>
      (await get<{ subject: string }[]>('mails')).some((mail) => mail.subject === 'Re: RAMAIS=12'),
    );
    await demo.end('SIGINT');
    expect(demo.process.exitCode, demo.output()).toBe(0);
    expect(await readdir(temporary)).toEqual([]);
  });

  test.each(['Two nodes, each a process', 'A mail of every kind'])(
    'stopped after "%s" ends at once, and leaves nothing behind',
    async (sentence) => {
      await using demo = startDemo();
      await until(demo, sentence);
      await demo.end('SIGINT');
      expect(demo.process.exitCode, demo.output()).toBe(0);
      expect(demo.output()).not.toContain('✗');
      expect(await readdir(temporary)).toEqual([]);
    },
  );
});

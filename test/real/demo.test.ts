import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { eventually, startChild } from '../support/process.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs();

const MAIN = resolve(import.meta.dirname, '../../demo/main.ts');

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

describe('the demo', () => {
  test('with --once follows a request until its ZIP is checked, and leaves nothing behind', async () => {
    await using demo = startDemo('--once');
    await eventually('the demo has ended', () => demo.process.exitCode !== null, 60_000);
    expect(demo.process.exitCode, demo.output()).toBe(0);
    expect(demo.output()).toContain('byte for byte');
    expect(await readdir(temporary)).toEqual([]);
  });

  test('serves its page until Ctrl-C, takes further subjects from here alone, and leaves nothing behind', async () => {
    await using demo = startDemo();
    const [, url = ''] = await eventually('the page', () => /^ +(http:\S+)$/m.exec(demo.output()), 60_000);
    const page = await fetch(url);
    expect(await page.text()).toContain('correio da demonstração');
    const forged = { method: 'POST', body: 'subject=AJUDA', headers: { origin: 'http://example.org' } };
    expect((await fetch(new URL('send', url), forged)).status).toBe(403);
    await using send = startDemo('send', '--page', url, '[A1B2C3D4] RAMAIS=12');
    await eventually('the subject is sent', () => send.process.exitCode !== null);
    expect(send.process.exitCode, send.output()).toBe(0);
    const mails = async (): Promise<{ subject: string }[]> =>
      (await (await fetch(new URL('mails', url))).json()) as { subject: string }[];
    await eventually('the answer', async () =>
      (await mails()).some((mail) => mail.subject === 'Re: RAMAIS=12'),
    );
    await demo.end('SIGINT');
    expect(demo.process.exitCode, demo.output()).toBe(0);
    expect(await readdir(temporary)).toEqual([]);
  });
});

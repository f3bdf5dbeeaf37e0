import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AskLine } from '../../../node/cli/ask.ts';
import { addLeadership } from '../../../node/cli/leadership.ts';
import type { Io } from '../../../node/cli/context.ts';
import { type ControlListener, openControlSocket } from '../../../node/listeners/control.ts';
import { createLeadershipControl } from '../../../node/listeners/control-leadership.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fakeNodeControl } from '../../support/node-control.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';
import { World, type WorldNode } from './pair-world.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let world: World;
let listener: ControlListener;
let audio: WorldNode;
let audio2: WorldNode;
let audit: { readonly event: string; readonly [detail: string]: unknown }[];

beforeEach(async () => {
  directory = await temporaryDirectory();
  world = new World(directory.path);
  audio = await world.start('audio', 'slave');
  audio2 = await world.start('audio2', 'master');
  await eventually('the first master', () => audio2.open && audio.leadership.view().role === 'slave');
  audit = [];
  const control = fakeNodeControl(
    createLeadershipControl({
      leadership: audio.leadership,
      peerId: 'audio2',
      record: async (event) => void audit.push(event),
    }),
  );
  listener = await openControlSocket({ path: join(directory.path, 'c.sock'), control, log: silentLog });
});
afterEach(async () => {
  await listener.close();
  await world[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

/** node-ctl on `audio`, with `typed` as what the operator types. */
async function run(args: readonly string[], ask: AskLine = async () => 'nothing', interrupted?: AbortSignal) {
  const seen = { code: null as number | null, out: '', err: '' };
  const io: Io = {
    out: (written) => (seen.out += written),
    err: (written) => (seen.err += written),
    errIsTerminal: false,
    env: {},
    clock: systemClock,
    interrupted: interrupted ?? new AbortController().signal,
    exit: (code) => (seen.code = code),
  };
  const program = new Command('node-ctl').option('--socket <path>').option('--json').exitOverride();
  addLeadership(program, io, ask);
  await program.parseAsync(['--socket', join(directory.path, 'c.sock'), ...args], { from: 'user' });
  return seen;
}

describe('node-ctl promote', () => {
  test('ends when this node is master', async () => {
    const { code, out } = await run(['promote']);
    expect({ code, out }).toEqual({ code: 0, out: 'audio is master of term 2 and opens the mailbox\n' });
    expect(audit).toMatchObject([{ event: 'leadership.promote', force: false }]);
  });

  test('as JSON tells the term and the handoff', async () => {
    const { out } = await run(['--json', 'promote']);
    expect(JSON.parse(out)).toMatchObject({ kind: 'done', term: 2, handoffId: expect.any(String) });
  });

  test('is refused with a reason where the peer does not answer', async () => {
    audio.peer.link = 'down';
    const { code, out } = await run(['promote']);
    expect(code).toBe(2);
    expect(out).toMatch(/audio2 does not answer .*promote --force/);
  });

  test('shows how it goes on, and says how to ask for it where it takes too long to wait', async () => {
    audio.peer.before = async (method) => {
      if (method === 'leadership.handoff') audio.peer.link = 'answers-lost';
    };
    const interruption = new AbortController();
    const running = run(['promote'], undefined, interruption.signal);
    await eventually('the handoff', () => audio2.leadership.view().grant !== null);
    interruption.abort();
    const { code, err } = await running;
    expect(code).toBe(3);
    const id = /leadership show (\S+)/.exec(err)?.[1] ?? '';
    expect((await run(['leadership', 'show', id])).code).toBe(3);
    audio.peer.link = 'up';
    await eventually('the mastership', () => audio.open);
    const shown = await run(['leadership', 'show', id]);
    expect(shown).toMatchObject({ code: 0, out: expect.stringMatching(/done[^]*audio is master of term 2/) });
  });

  test('--dry-run prints steps, and what would stop them as exit code 2', async () => {
    const good = await run(['promote', '--dry-run']);
    expect(good.code).toBe(0);
    expect(good.out).toMatch(
      /^1\. audio2 finishes the mail in hand[^]*nothing seen from here would stop it\n$/,
    );
    audio.peer.link = 'down';
    const bad = await run(['promote', '--dry-run']);
    expect(bad.code).toBe(2);
    expect(bad.out).toContain('stops it: audio2 does not answer');
    expect(audio2.open).toBe(true);
  });

  test('--force says what can go wrong and has the name of the peer typed', async () => {
    audio.peer.link = 'down';
    const asked: string[] = [];
    const typed = (text: string) => async (question: string) => {
      asked.push(question);
      return text;
    };
    const wrong = await run(['promote', '--force'], typed('yes'));
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('both read the mailbox until they meet again');
    expect(asked[0]).toContain('(audio2)');
    expect(audio.open).toBe(false);
    expect((await run(['promote', '--force'], typed(' audio2 '))).code).toBe(0);
    expect(audio.open).toBe(true);
  });

  test('--force --confirm is for scripts', async () => {
    audio.peer.link = 'down';
    expect((await run(['promote', '--force', '--confirm', 'audio'])).code).toBe(2);
    expect((await run(['promote', '--force', '--confirm', 'audio2'])).code).toBe(0);
  });
});

describe('node-ctl demote', () => {
  test('gives the mastership to the peer', async () => {
    await run(['promote']);
    const { code, out } = await run(['demote']);
    expect({ code, out }).toEqual({ code: 0, out: 'audio2 is master of term 3\n' });
    expect(audio.open).toBe(false);
  });

  test('of a slave has nothing to do', async () => {
    const { code, out } = await run(['demote']);
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('nothing to give away') });
  });

  test('--dry-run of a slave is refused', async () => {
    expect((await run(['demote', '--dry-run'])).code).toBe(2);
  });
});

describe('node-ctl leadership', () => {
  test('history lists the newest first', async () => {
    await run(['promote']);
    const { out, code } = await run(['leadership', 'history']);
    const lines = out.trimEnd().split('\n');
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^AT +TERM +THIS NODE +MASTER +HOW +HANDOFF$/);
    expect(lines[1]).toMatch(/ 2 +master +audio +handoff +[0-9a-f-]{36}$/);
    expect((await run(['leadership', 'history', '--limit', '1'])).out).toContain('2 more; see --limit');
  });

  test('show tells the role, and what is the matter', async () => {
    audio.peer.link = 'down';
    await eventually('it to be noticed', () => audio.leadership.explain().length > 0);
    const { out, code } = await run(['leadership', 'show']);
    expect(code).toBe(0);
    expect(out).toMatch(/role +slave\nterm +1\n[^]*audio2 does not answer/);
  });

  test('show of a handoff that is not known here is unknown', async () => {
    const { code, err } = await run(['leadership', 'show', randomUUID()]);
    expect(code).toBe(3);
    expect(err).toContain('does not know that handoff');
  });
});

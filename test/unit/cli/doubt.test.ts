import { expect, test } from 'vitest';
import type { DoubtView } from '../../../node/listeners/control-doubts.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { fakeNodeControl } from '../../support/node-control.ts';
import { nodeCtlAgainst } from '../../support/run-node-ctl.ts';

const DOUBT: DoubtView = {
  id: '3f9a1c02ab12'.padEnd(64, '0'),
  at: '2026-03-02T12:00:00Z',
  receivedAt: '2026-03-02T10:00:00Z',
  from: 'Ana Lima <ana@example.test>',
  subject: 'RAMAIS=1121 \u001b[31m',
  command: 'RAMAIS',
};

/** node-ctl against a node with these mails in doubt. */
async function nodeCtl(args: readonly string[], doubts: readonly DoubtView[] = [DOUBT]) {
  const asked: unknown[] = [];
  const control = fakeNodeControl({
    doubts: async () => ({ doubts: [...doubts] }),
    resolveDoubt: async (params) => {
      asked.push(params);
      if (!DOUBT.id.startsWith(params.id)) throw new AppError('job.not-found', 'no mail in doubt begins so');
      return { id: DOUBT.id, message: 'done so' };
    },
  });
  return { ...(await nodeCtlAgainst(control, args)), asked };
}

test('doubt list shows the mails in doubt, and how to decide on them', async () => {
  const { code, out } = await nodeCtl(['doubt', 'list']);
  expect(code).toBe(0);
  expect(out).toMatch(/3f9a1c02ab12 .* RAMAIS .*ana@example\.test.*RAMAIS=1121/);
  expect(out).not.toContain('\u001b');
  expect(out).toContain('--take');
  expect((await nodeCtl(['doubt', 'list'], [])).out).toBe('no mail is in doubt on this node\n');
});

test.each(['take', 'dismiss'])('doubt resolve --%s says what was done', async (how) => {
  const { code, out, asked } = await nodeCtl(['doubt', 'resolve', '3F9A1C02', `--${how}`]);
  expect([code, out]).toEqual([0, 'done so\n']);
  expect(asked).toEqual([{ id: '3f9a1c02', how }]);
});

test.each([
  ['without saying how', ['3f9a1c02'], '--take or --dismiss'],
  ['both ways', ['3f9a1c02', '--take', '--dismiss'], 'cannot be used with'],
  ['of no id', ['../../x', '--take'], 'hexadecimal digits'],
  ['of an unknown id', ['beef', '--take'], 'no mail in doubt'],
])('doubt resolve %s is refused with exit code 2', async (_, args, said) => {
  const { code, err } = await nodeCtl(['doubt', 'resolve', ...args]);
  expect(code).toBe(2);
  expect(err).toContain(said);
});

test('help tells what a doubt is, and that it stays on the node that was master', async () => {
  for (const args of [
    ['doubt', '--help'],
    ['doubt', 'list', '--help'],
  ]) {
    expect((await nodeCtl(args)).out).toContain('after a handoff they stay on that node');
  }
});

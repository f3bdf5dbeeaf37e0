import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openHeldMail } from '../../../node/mail/held-mail.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { temporaryDirectory } from '../../support/process.ts';

const ANSWER = {
  ...{ to: 'ana@example.test', messageId: '<a@example.test>', job: 'ab'.repeat(32), kind: 'result' },
  ...{ subject: 'Gravações', text: 'Olá', at: '2026-03-02T12:00:00Z' },
};

async function setup(maxHeld?: number) {
  const home = await temporaryDirectory();
  const directory = join(home.path, 'held');
  const bound = maxHeld === undefined ? {} : { maxHeld };
  const open = () => openHeldMail({ directory, log: silentLog, ...bound });
  return { directory, open, held: await open(), [Symbol.asyncDispose]: home[Symbol.asyncDispose] };
}

describe('answers that are held back', () => {
  test('survive a restart, each once, oldest first, for their owner alone', async () => {
    await using it = await setup();
    const earlier = { ...ANSWER, to: 'bia@example.test', at: '2026-03-02T11:00:00Z' };
    for (const answer of [ANSWER, ANSWER, earlier]) await it.held.put(answer);
    const held = await it.open();
    expect(held.list().map(({ to }) => to)).toEqual(['bia@example.test', 'ana@example.test']);
    expect(await held.read(held.list().map(({ name }) => name))).toEqual([earlier, ANSWER]);
    expect(held.recipientsOf(ANSWER.messageId)).toHaveLength(2);
    for (const file of await readdir(it.directory)) {
      expect((await stat(join(it.directory, file))).mode & 0o777).toBe(0o600);
    }
  });

  test('are gone when they have gone out, also for the next start', async () => {
    await using it = await setup();
    await it.held.put(ANSWER);
    const names = it.held.list().map(({ name }) => name);
    await it.held.remove(names);
    await it.held.remove(names);
    expect(await it.held.read(names)).toEqual([]);
    expect((await it.open()).list()).toEqual([]);
  });

  test('are bounded: what does not fit is to be tried again', async () => {
    await using it = await setup(1);
    await it.held.put(ANSWER);
    await it.held.put(ANSWER);
    const more = { ...ANSWER, to: 'bia@example.test' };
    expect(await it.held.put(more).catch(codeOf)).toBe('mail.unavailable');
  });

  test('are bounded in the room that they take as well', async () => {
    await using it = await setup();
    const small = await openHeldMail({ directory: it.directory, log: silentLog, maxLength: 10 });
    await small.put({ ...ANSWER, text: 'x'.repeat(8) });
    const more = { ...ANSWER, to: 'bia@example.test', text: 'xxx' };
    expect(await small.put(more).catch(codeOf)).toBe('mail.unavailable');
    await small.put({ ...more, text: 'xx' });
  });

  test('that could not be read are not kept for ever: a hundred of them are enough', async () => {
    await using it = await setup();
    for (let n = 0; n < 105; n += 1) await writeFile(join(it.directory, `${n}.broken`), 'x');
    await it.open();
    expect(await readdir(it.directory)).toHaveLength(100);
  });

  test('that cannot be read are put aside, and the others stay', async () => {
    await using it = await setup();
    await it.held.put(ANSWER);
    await writeFile(join(it.directory, `${'0'.repeat(32)}.json`), '{"to":');
    await writeFile(join(it.directory, '.tmp-left'), 'x');
    expect((await it.open()).list()).toHaveLength(1);
    expect(await readFile(join(it.directory, `${'0'.repeat(32)}.broken`), 'utf8')).toBe('{"to":');
    expect(await readdir(it.directory)).not.toContain('.tmp-left');
  });
});

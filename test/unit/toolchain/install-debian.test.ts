import { execFile } from 'node:child_process';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../support/process.ts';

const SCRIPT = resolve(import.meta.dirname, '../../toolchain/install-debian.sh');

/** Runs the script with an apt-get that notes its arguments and what policy-rc.d says, and ends with `exitCode`. */
async function install(directory: string, exitCode: number): Promise<{ failed: boolean; calls: string }> {
  const policy = join(directory, 'policy-rc.d');
  const calls = join(directory, 'calls');
  const apt = `#!/bin/sh\nanswer=0; '${policy}' || answer=$?\necho "$* (policy $answer)" >> '${calls}'\nexit ${exitCode}\n`;
  await writeFile(join(directory, 'apt-get'), apt);
  await chmod(join(directory, 'apt-get'), 0o755);
  const env = { PATH: `${directory}:${process.env['PATH']}`, POLICY_RC_D: policy };
  const failed = await promisify(execFile)('/bin/sh', [SCRIPT, 'dovecot-imapd', 'strace'], { env }).then(
    () => false,
    () => true,
  );
  return { failed, calls: await readFile(calls, 'utf8') };
}

describe('installing Debian packages for the tests', () => {
  test('forbids services to start, removes nothing, and takes its prohibition back', async () => {
    await using directory = await temporaryDirectory();
    const { failed, calls } = await install(directory.path, 0);
    expect(failed).toBe(false);
    expect(calls).toMatch(/ update \(policy 101\)/);
    expect(calls).toMatch(
      / install .*--no-install-recommends --no-remove dovecot-imapd strace \(policy 101\)/,
    );
    await expect(stat(join(directory.path, 'policy-rc.d'))).rejects.toThrow('ENOENT');
  });

  test.each([
    ['succeeds', 0],
    ['fails', 100],
  ])("puts the machine's own policy back when apt-get %s", async (_, exitCode) => {
    await using directory = await temporaryDirectory();
    const policy = join(directory.path, 'policy-rc.d');
    await writeFile(policy, '#!/bin/sh\nexit 7\n');
    const { failed } = await install(directory.path, exitCode);
    expect(failed).toBe(exitCode !== 0);
    expect(await readFile(policy, 'utf8')).toBe('#!/bin/sh\nexit 7\n');
  });

  test("puts the machine's own policy back after an earlier run that was killed", async () => {
    await using directory = await temporaryDirectory();
    const policy = join(directory.path, 'policy-rc.d');
    await writeFile(`${policy}.kept-by-parelha`, 'the own one');
    await writeFile(policy, '#!/bin/sh\nexit 101\n');
    await install(directory.path, 0);
    expect(await readFile(policy, 'utf8')).toBe('the own one');
  });
});

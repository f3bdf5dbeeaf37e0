import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('shellcheck');

const run = promisify(execFile);
const DEPLOY = join(import.meta.dirname, '../../deploy');

describe('shell scripts that run on other people’s hosts', () => {
  test.each(['remote/parelha-remote', 'install.sh', 'install-sshd.sh', 'node', 'node-ctl'])(
    'shellcheck has nothing to say of %s',
    async (name) => {
      const { stdout } = await run('shellcheck', ['--shell=sh', join(DEPLOY, name)]);
      expect(stdout).toBe('');
    },
  );
});

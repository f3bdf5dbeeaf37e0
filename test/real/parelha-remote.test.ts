import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../support/process.ts';
import { hasProgram } from '../support/programs.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs();

const HELPER = join(import.meta.dirname, '../../deploy/remote/parelha-remote');
const SHELLS = [['sh'], ['dash'], ['bash', '--posix'], ['busybox', 'sh']].filter(([name = '']) =>
  hasProgram(name),
);

/** Runs it as sshd does with a forced command; its fail2ban is down. */
async function forced(
  shell: readonly string[],
  command: string | null,
  options: readonly string[] = [],
  settings = '',
  fail2ban = 'exit 255',
) {
  const directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  const conf = join(directory.path, 'remote.conf');
  await writeFile(
    conf,
    `privileged=no\nfail2ban_directory=${directory.path}\nlock=${directory.path}/lock\n${settings}`,
  );
  await mkdir(join(directory.path, 'bin'));
  await writeFile(join(directory.path, 'bin/fail2ban-client'), `#!/bin/sh\n${fail2ban}\n`, { mode: 0o755 });
  const [program = '', ...args] = shell;
  const env = { PATH: `${directory.path}/bin:/usr/bin:/bin`, PARELHA_REMOTE_CONF: conf };
  const ran = spawnSync(program, [...args, HELPER, ...options], {
    cwd: directory.path,
    env: command === null ? env : { ...env, SSH_ORIGINAL_COMMAND: command },
    encoding: 'utf8',
  });
  return { ...ran, directory: directory.path };
}

describe.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
  'parelha-remote under %s',
  (_name, shell) => {
    test('says its version', async () => {
      const { status, stdout } = await forced(shell, 'parelha-remote version');
      expect({ status, stdout }).toEqual({ status: 0, stdout: 'parelha-remote 1\nend\n' });
    });

    test('runs what its settings say after a change, and nothing of what it is told', async () => {
      const told = await forced(shell, 'parelha-remote notify', [], 'notify=printf %s+%s a *\n');
      expect({ status: told.status, stdout: told.stdout }).toEqual({ status: 0, stdout: 'a+*' });
      expect((await forced(shell, 'parelha-remote notify', [], 'notify=false\n')).status).toBe(1);
      expect((await forced(shell, 'parelha-remote notify')).stdout).toContain('problem notify');
      const more = await forced(shell, 'parelha-remote notify x', [], 'notify=printf %s a\n');
      expect(more).toMatchObject({ status: 2, stdout: 'problem words too many words\nend\n' });
    });

    test('refuses every word that is not what it should be', async () => {
      const job = 'ab12'.repeat(16);
      const until = '2026-04-01T12:00:00Z';
      const orders = [
        ...[
          '',
          'id',
          'sh -c id',
          'scp -t /',
          '/bin/sh',
          'parelha-remote',
          'parelha-remote sh',
          'parelha-remote version x',
        ],
        ...[
          'internal-sftp',
          '/usr/lib/openssh/sftp-server',
          'parelha-remote sftp',
          'parelha-remote expire all',
        ],
        ...[
          'parelha-remote check',
          'parelha-remote check 203.0.113.9 203.0.113.10',
          'parelha-remote check *',
        ],
        ...[
          '1.2.3',
          '1.2.3.4.5',
          '1.2.3.256',
          '01.2.3.4',
          '1.2.3.4/24',
          'host',
          '--all',
          ':::',
          '1::2::3',
          '::1%lo',
          'g::1',
        ].map((ip) => `parelha-remote check ${ip}`),
        ...[
          '1:2:3:4:5:6:7',
          '1:2:3:4:5:6:7:8:9',
          '12345::',
          ':1:2:3:4:5:6:7:8',
          '1:2:3:4:5:6:7:',
          'AB::1',
          '2001:db8::1;id',
        ].map((ip) => `parelha-remote check ${ip}`),
        `parelha-remote release 203.0.113.9 ${until} ${job}`,
        `parelha-remote release 203.0.113.9 2026-04-01 ${job} maria@example.com`,
        `parelha-remote release 203.0.113.9 ${until} ${job}x maria@example.com`,
        `parelha-remote release 203.0.113.9 ${until} ${job} -maria@example.com`,
        `parelha-remote release 203.0.113.9 ${until} ${job} maria@exa[mple.com`,
        `parelha-remote release 203.0.113.9 ${until} ${job} ${'a'.repeat(129)}`,
        `parelha-remote check ${'1'.repeat(500)}`,
      ];
      for (const order of orders) {
        const { status, stdout } = await forced(shell, order);
        expect([order, status, stdout.slice(0, 14)]).toEqual([order, 2, 'problem words ']);
      }
    });

    test('runs nothing of what it is told', async () => {
      const texts = [
        '$(touch x)',
        '`touch x`',
        ';touch x',
        '|touch x',
        '&& touch x',
        '\ntouch x',
        "'; touch x; '",
        '${IFS}touch',
        '> x',
        '* ?',
      ];
      for (const text of texts) {
        for (const order of [
          text,
          `parelha-remote check ${text}`,
          `parelha-remote check 203.0.113.9${text}`,
        ]) {
          const { status, directory } = await forced(shell, order);
          expect([order, status, existsSync(join(directory, 'x'))]).toEqual([order, 2, false]);
        }
      }
    });

    test('takes addresses of both kinds, and says where fail2ban is down', async () => {
      for (const ip of [
        '203.0.113.9',
        '0.0.0.0',
        '255.255.255.255',
        '2001:db8::9',
        '::1',
        '1::',
        '1:2:3:4:5:6:7:8',
      ]) {
        const { status, stdout } = await forced(shell, `parelha-remote check ${ip}`);
        expect([ip, status, stdout]).toEqual([ip, 1, 'problem down fail2ban does not answer\nend\n']);
      }
    });

    test('tells of what may hold the address, and not of all that is ignored', async () => {
      const fail2ban = `case $1 in
        status) echo '\`- Jail list:   sshd, asterisk' ;;
        banned) echo '[[]]' ;;
        get) printf '|- 198.51.100.%s\\n' 1 2 3 9; printf '%s\\n' '|- 203.0.113.9' '|- 10.0.0.0/8' '|- 2001:db8::1' ;;
      esac`;
      const { stdout } = await forced(shell, 'parelha-remote check 203.0.113.9', [], '', fail2ban);
      const ignored = stdout.split('\n').filter((line) => line.startsWith('ignore sshd'));
      expect(ignored).toEqual(['ignore sshd 203.0.113.9', 'ignore sshd 10.0.0.0/8']);
      const other = await forced(shell, 'parelha-remote check 2001:db8::2', [], '', fail2ban);
      expect(other.stdout).toContain('ignore asterisk 2001:db8::1\n');
    });

    test('is its arguments where it is no forced command', async () => {
      const { status } = await forced(shell, null, ['check', '1.2.3']);
      expect(status).toBe(2);
      expect((await forced(shell, 'ignored', ['version'])).stdout).toBe('parelha-remote 1\nend\n');
    });

    test('asks sudo for what needs root, with words that it has checked', async () => {
      const directory = await temporaryDirectory();
      onTestFinished(() => directory[Symbol.asyncDispose]());
      const program = (name: string, text: string): Promise<void> =>
        writeFile(join(directory.path, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      await program('id', 'echo 1000');
      await program('sudo', 'echo "sudo $*"');
      const [name = '', ...args] = shell;
      const run = (command: string) =>
        spawnSync(name, [...args, HELPER], {
          env: {
            PATH: `${directory.path}:/usr/bin:/bin`,
            PARELHA_REMOTE_CONF: '/none',
            SSH_ORIGINAL_COMMAND: command,
          },
          encoding: 'utf8',
        }).stdout;
      for (const order of [
        'check 203.0.113.9',
        'release 203.0.113.9 2026-04-01T12:00:00Z ab12 maria@example.com',
        'expire',
      ]) {
        expect(run(`parelha-remote ${order}`)).toBe(`sudo -n ${HELPER} ${order}\n`);
      }
      expect(run('parelha-remote version')).toBe('parelha-remote 1\nend\n');
      expect(run('parelha-remote check x')).toContain('problem words');
    });

    test('gives files only where the forced command says so', async () => {
      expect((await forced(shell, 'internal-sftp', ['--sftp=/bin/echo'])).stdout).toBe('\n');
      expect((await forced(shell, 'internal-sftp')).stdout).toContain('no files here');
    });
  },
);

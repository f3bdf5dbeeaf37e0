import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { type Fail2ban, startFail2ban } from '../support/fail2ban.ts';
import { hostileSubjects } from '../support/hostile-subjects.ts';
import { mailSource } from '../support/mails.ts';
import { type NodeUnderTest, PEOPLE, prepareNode, TOKEN } from '../support/node.ts';
import { kindOf, mailsOf } from '../support/people.ts';
import { eventually } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { type SshWorld, startSshWorld } from '../support/ssh-world.ts';

const { describe, test } = needs('dovecot', 'exim', 'sshd', 'fail2ban', 'strace');

const COUNT = 500;
/** The longest that all of them may take on a machine that has other things to do. */
const ALL_MS = 180_000;
const PHONES = "[3010]\n'serialnumber': '010203040506'\n";

/** All that this node ever says to a server, to the letter; MACCHANGE goes by SFTP. */
const IP = String.raw`203\.0\.113\.9`;
const KNOWN: readonly RegExp[] = [
  /^internal-sftp$/,
  /^date '\+%z'$/,
  /^tail -c \d+ -- \/[A-Za-z0-9/._-]+\/fail2ban\.log$/,
  /^fail2ban-client (?:status|-t|reload|get sshd ignoreip|get sshd banip --with-time)$/,
  new RegExp(`^fail2ban-client (?:banned|unban|set sshd addignoreip) ${IP}$`),
  new RegExp(`^parelha-remote (?:version|expire|check ${IP})$`),
  new RegExp(String.raw`^parelha-remote release ${IP} [0-9TZ:-]{20} [0-9a-f]{64} admin@example\.test$`),
];
/** What the helper is made of, and what is named above. */
const OWN_PROGRAMS: ReadonlySet<string> = new Set([
  ...['inner', 'env', 'parelha-remote', 'fail2ban-client', 'internal-sftp', 'sftp-server', 'date', 'tail'],
  ...['awk', 'cat', 'chmod', 'cmp', 'cp', 'cut', 'flock', 'grep', 'head', 'ln', 'mkdir', 'mktemp', 'mv'],
  ...['rm', 'sed', 'sync', 'timeout', 'tr', 'wc'],
]);

/** A SIP server whose every command is written down as sshd gives it, and each program that it runs as well. */
interface Watched {
  readonly ssh: SshWorld;
  readonly fail2ban: Fail2ban;
  /** As SSH_ORIGINAL_COMMAND had them. */
  commands(): Promise<string[]>;
  /** Names of the programs that were executed, each once. */
  programs(): Promise<string[]>;
}

let servers: MailServers;
let node: NodeUnderTest;
let canary: string;
const watched: Watched[] = [];
const all = new AsyncDisposableStack();

async function startWatched(way: 'withHelper' | 'withShell'): Promise<Watched> {
  const fail2ban = all.use(await startFail2ban());
  const ssh = all.use(await startSshWorld());
  const { directory } = ssh;
  const inner = join(directory, 'inner');
  const [, forced = ''] = /command="(.+)"$/.exec(fail2ban[way]) ?? [];
  await writeFile(inner, `#!/bin/sh\n${forced.replaceAll('\\"', '"')}\n`, { mode: 0o755 });
  const recorder = join(directory, 'recorder');
  await writeFile(
    recorder,
    `#!/bin/sh
printf '%s\\0' "$SSH_ORIGINAL_COMMAND" >>'${directory}/commands'
exec strace -f --seccomp-bpf -qq -e trace=execve -s 2000 -o "${directory}/strace.$$" ${inner}
`,
    { mode: 0o755 },
  );
  await ssh.letIn(`restrict,command="${recorder}"`);
  await mkdir(join(directory, 'phones'));
  await writeFile(join(directory, 'phones/endpoints.def'), PHONES);
  await writeFile(join(directory, 'key'), ssh.privateKey, { mode: 0o600 });
  return {
    ...{ ssh, fail2ban },
    commands: async () =>
      (await readFile(join(directory, 'commands'), 'utf8')).split('\0').filter((command) => command !== ''),
    programs: async () => {
      const traces = (await readdir(directory)).filter((name) => name.startsWith('strace.'));
      const texts = await Promise.all(traces.map((name) => readFile(join(directory, name), 'utf8')));
      const executed = texts.flatMap((text) => [...text.matchAll(/execve\("([^"]+)"[^\n]* = 0$/gm)]);
      return [...new Set(executed.map((one) => basename(one[1] ?? '')))].toSorted();
    },
  };
}

async function entryOf(id: string, { ssh, fail2ban }: Watched): Promise<Record<string, unknown>> {
  const { host, port, user } = ssh.sshd;
  const path = join(ssh.directory, 'phones/endpoints.def');
  const file = { kind: 'section', path, record: '[{ramal}]', field: "'serialnumber': '{mac}'", empty: '' };
  return {
    ...{ id, host, port, user, key_file: join(ssh.directory, 'key') },
    host_key: (await ssh.fingerprints())[0],
    commands: ['CHECKIP', 'MACCHANGE'],
    fail2ban: { jail_directory: fail2ban.jailDirectory, logs: [fail2ban.ownLog] },
    mac_files: [file],
    mac_backup_dir: join(ssh.directory, 'backups'),
  };
}

beforeAll(async () => {
  servers = all.use(await startMailServers());
  watched.push(await startWatched('withShell'), await startWatched('withHelper'));
  const [first, second] = watched as [Watched, Watched];
  canary = join(first.ssh.directory, 'canary');
  const file = join(first.ssh.directory, 'servers.json');
  const entries = [await entryOf('gv1p', first), await entryOf('gv2p', second)];
  await writeFile(file, JSON.stringify({ sip_servers: entries }));
  // The worst that a subject can come from: somebody who may do everything.
  node = all.use(await prepareNode({ servers, settings: { SERVERS_FILE: file } }));
  await node.start();
});
afterAll(() => all.disposeAsync());

/** A subject as a mail program writes it: as it is where it can be, else in encoded words (RFC 2047). */
function written(subject: string): string {
  const whole = `[${TOKEN}] ${subject}`;
  if (/^[ -~]{1,900}$/.test(whole)) return whole;
  const words: string[] = [];
  let word = '';
  for (const character of whole) {
    if (Buffer.byteLength(word + character) > 45) {
      words.push(word);
      word = '';
    }
    word += character;
  }
  return [...words, word].map((text) => `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`).join('\r\n ');
}

describe(`${COUNT} subjects that mean harm, from an admin`, () => {
  test(
    'none reaches a shell, and each is answered',
    async () => {
      const subjects = hostileSubjects(canary, COUNT);
      const from = PEOPLE.admin;
      const idOf = (at: number): string => `<hostile-${at}@mail.example.test>`;
      const mails = subjects.map((subject, at) =>
        mailSource({ from, subject: written(subject), messageId: idOf(at) }),
      );
      await servers.dovecot.fill(PEOPLE.node, mails);

      const answered = await eventually(
        'an answer to each',
        async () => {
          const answers = (await mailsOf(servers, from)).filter((mail) => kindOf(mail) !== 'notice');
          const ids = new Set(answers.map(({ parsed }) => parsed.inReplyTo));
          return subjects.every((_, at) => ids.has(idOf(at))) ? answers : null;
        },
        ALL_MS,
        3_000,
      );
      await expect(access(canary)).rejects.toMatchObject({ code: 'ENOENT' });
      for (const { parsed } of answered) {
        expect(parsed.headers.has('bcc')).toBe(false);
        expect(parsed.html).not.toMatch(/<script|<img src=x|onerror=alert\(1\)>/);
      }
      for (const one of watched) {
        expect(await readFile(join(one.ssh.directory, 'phones/endpoints.def'), 'utf8')).toBe(PHONES);
        for (const command of await one.commands())
          expect(
            KNOWN.some((known) => known.test(command)),
            command,
          ).toBe(true);
        const programs = await one.programs();
        expect(programs).toContain('fail2ban-client');
        expect(programs.filter((program) => !OWN_PROGRAMS.has(program))).toEqual([]);
      }
      expect((await node.ctl('status')).code).toBe(0);
    },
    ALL_MS + 60_000,
  );
});

import { type Command, InvalidArgumentError } from 'commander';
import type { ControlResult } from '../listeners/control-contract.ts';
import type { ServerHostKeys, ServerView } from '../listeners/control-servers.ts';
import { mapBounded } from '../platform/concurrency.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import { type AskLine, askOnTerminal } from './ask.ts';
import { type Context, type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { neutral, table } from './text.ts';

/** As many as the client has connections for. */
const TESTS_AT_ONCE = 2;
const MAX_SHOWN_LENGTH = 1000;
const MAX_NEXT = 20;

const ABOUT = `
SIP servers are those of SERVERS_FILE. Each node logs in to them by its own key (node-ctl server key), and sends nothing
to one whose host key it does not know (node-ctl server trust ID): do both on each node.`;

/** `server list|test|trust|key`. */
export function addServer(program: Command, io: Io, ask: AskLine = askOnTerminal): void {
  const server = program
    .command('server')
    .description('the SIP servers that this node reaches by SSH')
    .addHelpText(
      'after',
      `${ABOUT}\n\nExamples:\n  $ node-ctl server key\n  $ node-ctl server trust gv1p\n  $ node-ctl server test`,
    );
  addList(server, io);
  addTest(server, io);
  addTrust(server, io, ask);
  addKey(server, io);
}

function addList(server: Command, io: Io): void {
  server
    .command('list')
    .description('all of them: what may be done on each, and whether its host key is known')
    .addHelpText('after', '\nExamples:\n  $ node-ctl server list\n  $ node-ctl server list --json')
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const found = await client.call('servers', {});
        print(found, () => listText(found.servers, found.serversFile));
        return EXIT.done;
      });
    });
}

function listText(servers: readonly ServerView[], file: string | null): string {
  if (file === null) return 'no SERVERS_FILE is configured';
  if (servers.length === 0) return `${neutral(file)} has no servers`;
  const rows = servers.map((one) => [
    one.id,
    `${one.user}@${one.host}${one.port === 22 ? '' : `:${one.port}`}`,
    one.enabled ? 'yes' : 'no',
    one.commands.join(',') || '-',
    one.audiosFrom ?? '-',
    one.hostKeys.length > 0 ? 'known' : 'unknown',
    one.name,
  ]);
  const titles = ['ID', 'LOGIN', 'ENABLED', 'COMMANDS', 'AUDIOS', 'HOST KEY', 'NAME'];
  const unknown = servers.filter((one) => one.enabled && one.hostKeys.length === 0);
  const next = unknown.map(({ id }) => `\n  node-ctl server trust ${neutral(id)}`).slice(0, MAX_NEXT);
  const more = next.length === 0 ? '' : `\n\nNothing is sent to these before:${next.join('')}`;
  return table(titles, rows) + more;
}

type Tested = ControlResult<'serverTest'>;

function addTest(server: Command, io: Io): void {
  server
    .command('test')
    .description('look whether a server has all that its commands need; changes nothing')
    .argument('[id]', 'the id of a server (default: all that are enabled)')
    .addHelpText(
      'after',
      '\nExit codes: 0 all is well, 2 no such server, 3 something is not (the lines marked FAIL say what)\n' +
        '\nExamples:\n  $ node-ctl server test\n  $ node-ctl server test gv1p',
    )
    .action(async (id: string | undefined, _options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const ids = id === undefined ? await enabledIds(client) : [id];
        const tested = await mapBounded(ids, TESTS_AT_ONCE, (one) =>
          client.call('serverTest', { id: one }, io.interrupted).catch((error: unknown): Tested => {
            if (id !== undefined || io.interrupted.aborted) throw error;
            const message = `${messageOf(error)} (${codeOf(error)})`;
            return { id: one, checks: [{ name: 'test', ok: false, message }] };
          }),
        );
        print({ servers: tested }, () => tested.map(testText).join('\n\n') || 'no server is enabled');
        const isWell = tested.every(({ checks }) => checks.every((check) => check.ok === true));
        return isWell ? EXIT.done : EXIT.failed;
      });
    });
}

async function enabledIds(client: Context['client']): Promise<string[]> {
  const { servers } = await client.call('servers', {});
  return servers.filter((one) => one.enabled).map((one) => one.id);
}

function testText({ id, checks }: Tested): string {
  const width = Math.max(...checks.map((check) => check.name.length));
  const mark = (ok: boolean | null): string => (ok === null ? '-   ' : ok ? 'ok  ' : 'FAIL');
  const lines = checks.map(
    ({ name, ok, message }) =>
      `  ${mark(ok)}  ${neutral(name).padEnd(width)}  ${neutral(message, MAX_SHOWN_LENGTH)}`,
  );
  return [neutral(id), ...lines].join('\n');
}

function addTrust(server: Command, io: Io, ask: AskLine): void {
  server
    .command('trust')
    .description('show the host key of a server and, after a yes, store it as the right one')
    .argument('<id>', 'the id of a server')
    .option(
      '--fingerprint <SHA256:…>',
      'store the key with this fingerprint, if the server shows it; asks nothing',
      fingerprintOf,
    )
    .addHelpText(
      'after',
      '\nCompare what is shown with what the server itself says, on its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n' +
        'What was trusted for its address before is replaced; what SERVERS_FILE says under host_key is not.\n' +
        '\nExit codes: 0 trusted, 2 not (nothing was stored), 3 the server cannot be reached\n' +
        '\nExamples:\n  $ node-ctl server trust gv1p\n' +
        '  $ node-ctl server trust gv1p --fingerprint SHA256:0j1vtYyr6pYqj7nE9Q1aV2cK8sJ0mXbN3dHfGgTtUuI',
    )
    .action(async (id: string, options: { fingerprint?: string }, command: Command) => {
      await runCommand(io, command, (context) => trust(context, id, options.fingerprint ?? null, ask));
    });
}

async function trust(
  { io, client, print }: Context,
  id: string,
  fingerprint: string | null,
  ask: AskLine,
): Promise<number> {
  const fingerprints = fingerprint === null ? await askAbout(id) : [fingerprint];
  const done = await client.call('serverTrust', { id, fingerprints }, io.interrupted);
  print(
    done,
    () =>
      `${neutral(done.message)}\nNext: node-ctl server test ${neutral(done.id)}; and the same on the other node`,
  );
  return EXIT.done;

  async function askAbout(server: string): Promise<string[]> {
    const shown = await client.call('serverHostKeys', { id: server }, io.interrupted);
    io.err(`${shownText(shown)}\n`);
    const answer = await ask('Are these its own? Type yes to trust them: ');
    if (answer.trim().toLowerCase() !== 'yes') throw new AppError('cli.usage', 'nothing was stored');
    return shown.keys.map((key) => key.fingerprint);
  }
}

function shownText({ id, host, port, keys, others }: ServerHostKeys): string {
  const lines = keys.map(
    ({ type, fingerprint, isKnown }) =>
      `  ${neutral(fingerprint)}  ${neutral(type)}${isKnown ? '  (trusted already)' : ''}`,
  );
  const warning =
    others.length === 0
      ? []
      : [
          'Until now it was known by others, which it does not show any more. Somebody has given it new keys, or you are',
          'speaking to another host:',
          ...others.map((other) => `  ${neutral(other)}`),
        ];
  return [`${neutral(id)} at ${neutral(host)}, port ${port}, shows:`, ...lines, ...warning].join('\n');
}

function addKey(server: Command, io: Io): void {
  server
    .command('key')
    .description('print the public key by which this node logs in, for authorized_keys of the servers')
    .addHelpText(
      'after',
      '\nThe key is made at the first call. docs/SERVERS.md says what stands in front of it in authorized_keys.\n' +
        '\nExamples:\n  $ node-ctl server key\n  $ node-ctl server key --json | jq -r .publicLine',
    )
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const key = await client.call('serverKey', {});
        print(key, () => neutral(key.publicLine, MAX_SHOWN_LENGTH));
        return EXIT.done;
      });
    });
}

function fingerprintOf(text: string): string {
  if (/^SHA256:[A-Za-z0-9+/]{43}=?$/.test(text)) return text.replace(/=$/, '');
  throw new InvalidArgumentError('It must be SHA256: and 43 characters, as ssh-keygen -lf shows it.');
}

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TokenView } from '../listeners/control-tokens.ts';
import { idPrefixOf } from './arguments.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { humanCount, localTime, neutral, table } from './text.ts';

const HOURS_PER_DAY = 24;
const SHOWN_NOTE_LENGTH = 40;
const DEFAULT_EXPIRES = '90d';

const ABOUT = `
A token stands at the beginning of a subject, in brackets: [3F9A1C02] RAMAIS=… It opens the door together with the
address it is for. It is shown once, when it is made; what is kept is a salted hash, on both nodes of a pair.`;

/** `token add|list|revoke|import`. */
export function addToken(program: Command, io: Io): void {
  const token = program
    .command('token')
    .description('tokens that open the door to requests by mail')
    .addHelpText(
      'after',
      `${ABOUT}\n\nExamples:\n  $ node-ctl token add --for pessoa@example.com --expires 90d\n  $ node-ctl token list`,
    );
  addAdd(token, io);
  addList(token, io);
  addRevoke(token, io);
  addImport(token, io);
}

function addAdd(token: Command, io: Io): void {
  token
    .command('add')
    .description('make a token for a person, and show it once')
    .requiredOption('--for <address>', 'the address of the person')
    .addOption(
      new Option('--expires <time>', 'when it ends: 12h, 90d, or never')
        .default(DEFAULT_EXPIRES)
        .argParser(expiry),
    )
    .option('--single-use', 'good for one request')
    .option('--note <text>', 'what it is for, shown by token list')
    .addHelpText(
      'after',
      '\nExamples:\n  $ node-ctl token add --for pessoa@example.com\n' +
        '  $ node-ctl token add --for pessoa@example.com --expires 12h --single-use',
    )
    .action(async (options: AddOptions, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const { singleUse = false, note = '' } = options;
        const expiresHours = hoursOf(options.expires);
        const made = await client.call('tokenAdd', { for: options.for, expiresHours, singleUse, note });
        print(made, () => {
          const until =
            made.expiresAt === null ? 'it does not end' : `good until ${localTime(made.expiresAt)}`;
          const warning = made.warning === null ? '' : `\nwarning: ${neutral(made.warning)}`;
          return `${made.token}\n\ntoken ${made.id}, ${until}; it cannot be shown again${warning}`;
        });
        return EXIT.done;
      });
    });
}

interface AddOptions {
  readonly for: string;
  readonly expires: string;
  readonly singleUse?: boolean;
  readonly note?: string;
}

function addList(token: Command, io: Io): void {
  token
    .command('list')
    .description('the tokens there are, newest first; not what they are')
    .option('--all', 'those too that open nothing any more')
    .addHelpText('after', '\nThose of TOKEN_FILE are not among them before token import.\n')
    .action(async (options: { all?: boolean }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const { tokens } = await client.call('tokens', {});
        const shown = options.all === true ? tokens : tokens.filter(({ state }) => state === 'good');
        print({ tokens: shown }, () => listText(shown, tokens.length - shown.length));
        return EXIT.done;
      });
    });
}

function addRevoke(token: Command, io: Io): void {
  token
    .command('revoke')
    .description('make a token open nothing any more, on both nodes')
    .argument('<id>', 'its id or the beginning of it, as token list shows it', idPrefixOf('token list'))
    .addHelpText('after', '\nExamples:\n  $ node-ctl token revoke 3f9a1c02d4e5')
    .action(async (id: string, _options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const done = await client.call('tokenRevoke', { id });
        print(done, () => neutral(done.message, 1000));
        return EXIT.done;
      });
    });
}

function addImport(token: Command, io: Io): void {
  token
    .command('import')
    .description('take the tokens of TOKEN_FILE over, as hashes that anybody on the whitelist may use')
    .addHelpText('after', '\nCalled again it takes what is new. TOKEN_FILE itself is left as it is.\n')
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const done = await client.call('tokenImport', {});
        print(done, () => neutral(done.message, 1000));
        return EXIT.done;
      });
    });
}

function listText(tokens: readonly TokenView[], hidden: number): string {
  const more =
    hidden === 0 ? '' : `\n\n${humanCount(hidden)} that open nothing any more: node-ctl token list --all`;
  if (tokens.length === 0) return `no token is kept here${more}`;
  const rows = tokens.map((token) => [
    token.id,
    token.for ?? 'anybody',
    token.state,
    token.expiresAt === null ? 'never' : localTime(token.expiresAt),
    token.singleUse ? 'once' : '',
    neutral(token.note, SHOWN_NOTE_LENGTH),
  ]);
  const titles = ['ID', 'FOR', 'STATE', 'ENDS', 'USE', 'NOTE'];
  return table(titles, rows) + more;
}

const EXPIRY = /^(?<count>[1-9]\d{0,4})(?<unit>[hd])$/;

function expiry(text: string): string {
  const written = text.trim().toLowerCase();
  if (written === 'never' || EXPIRY.test(written)) return written;
  throw new InvalidArgumentError('It must be as 12h, 90d or never.');
}

/** Hours of `12h` or `90d`; null for `never`. */
function hoursOf(written: string): number | null {
  const { count, unit } = EXPIRY.exec(written)?.groups ?? {};
  if (count === undefined) return null;
  return Number(count) * (unit === 'd' ? HOURS_PER_DAY : 1);
}

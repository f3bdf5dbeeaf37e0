import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PersonEntry } from '../listeners/control-people.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { localTime, neutral, table } from './text.ts';

const SHOWN_LIST_LENGTH = 40;
const SHOWN_ADDRESS_LENGTH = 60;

const ABOUT = `
Who may ask for something by mail, and for what: the WHITELIST and ADMIN_EMAIL of the configuration, and over them what
was changed since by WHITELIST mails or here. A change counts at once, on the other node of the pair too, and all admins
are told of it. ADMIN_EMAIL itself is changed in the configuration alone.`;

const EXAMPLES = `
Examples:
  $ node-ctl people list
  $ node-ctl people add ana@example.com
  $ node-ctl people add cliente@example.com --role consulta --extensions 1121,1122 --servers gv1p
  $ node-ctl people remove ana@example.com`;

/** `people list|add|remove`. */
export function addPeople(program: Command, io: Io): void {
  const people = program
    .command('people')
    .description('who may ask for something by mail, and for what')
    .addHelpText('after', `${ABOUT}\n${EXAMPLES}`);
  addList(people, io);
  addAdd(people, io);
  addRemove(people, io);
}

function addList(people: Command, io: Io): void {
  people
    .command('list')
    .description('all of them, by address')
    .addHelpText('after', `${ABOUT}\n\nExamples:\n  $ node-ctl people list\n  $ node-ctl people list --json`)
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const found = await client.call('people', {});
        print(found, () => listText(found.people));
        return EXIT.done;
      });
    });
}

interface AddOptions {
  readonly role?: PersonEntry['role'];
  readonly extensions?: string[];
  readonly servers?: string[];
}

function addAdd(people: Command, io: Io): void {
  people
    .command('add')
    .description('let somebody ask, or change what they may ask for')
    .argument('<address>', 'their address; @example.com lets in all of a domain')
    .addOption(
      new Option(
        '--role <role>',
        'what they may do; admins may do all, and change this list (default: "operador", with limits "consulta")',
      ).choices(['admin', 'operador', 'consulta']),
    )
    .option('--extensions <list>', 'only these extensions', extensionsOf)
    .option('--servers <list>', 'only these servers, by id', words)
    .addHelpText(
      'after',
      '\nWhat is not said is not limited: said again, an address has what the last command says and no more.\n' +
        'OPERADOR_COMMANDS and CONSULTA_COMMANDS say which commands a role may use.\n' +
        EXAMPLES,
    )
    .action(async (address: string, options: AddOptions, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const { extensions = null, servers = null } = options;
        // As WHITELIST ADD has it: who is limited rarely is to change servers.
        const isLimited = extensions !== null || servers !== null;
        const { role = isLimited ? 'consulta' : 'operador' } = options;
        const done = await client.call('putPerson', { address, role, extensions, servers });
        print(done, () => neutral(done.message, 1000));
        return EXIT.done;
      });
    });
}

function addRemove(people: Command, io: Io): void {
  people
    .command('remove')
    .description('let somebody ask no more')
    .argument(
      '<address>',
      'their address, or @example.com for those of a domain that are not named themselves',
    )
    .addHelpText(
      'after',
      '\nWho is removed by address stays out, also where the configuration names their domain; add lets them in again.\n' +
        '\nExamples:\n  $ node-ctl people remove ana@example.com',
    )
    .action(async (address: string, _options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const done = await client.call('removePerson', { address });
        print(done, () => neutral(done.message, 1000));
        return EXIT.done;
      });
    });
}

function listText(people: readonly PersonEntry[]): string {
  const rows = people.map(({ address, role, extensions, servers, added }) => [
    neutral(address, SHOWN_ADDRESS_LENGTH),
    role,
    limitText(extensions),
    limitText(servers),
    added === null
      ? 'the configuration'
      : `${neutral(added.by, SHOWN_ADDRESS_LENGTH)}, ${localTime(added.at)}`,
  ]);
  const titles = ['ADDRESS', 'ROLE', 'EXTENSIONS', 'SERVERS', 'ADDED BY'];
  return table(titles, rows);
}

function limitText(limits: readonly string[] | null): string {
  return limits === null ? 'all' : neutral(limits.join(','), SHOWN_LIST_LENGTH);
}

function words(text: string): string[] {
  const found = text.split(/[\s,;]+/).filter((word) => word !== '');
  if (found.length === 0) throw new InvalidArgumentError('It must name at least one; leave it out for all.');
  return found;
}

function extensionsOf(text: string): string[] {
  const found = words(text);
  const wrong = found.find((word) => !/^[0-9]{3,8}$/.test(word));
  if (wrong === undefined) return found;
  throw new InvalidArgumentError('They must be extensions of 3 to 8 digits, as in 1121,1122.');
}

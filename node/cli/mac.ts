import { type Command, InvalidArgumentError } from 'commander';
import type { MacRestored, MacServerView } from '../listeners/control-mac.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { neutral, table } from './text.ts';

const SHOWN_PATH_LENGTH = 200;
const SHOWN_MESSAGE_LENGTH = 1000;

const ABOUT = `
Which phone an extension has stands in files of the SIP servers, by its MAC; mac_files in SERVERS_FILE says in which.
MACCHANGE mails change it, in all files of a server or in none, and keep the files as they were in a backup there.`;

/** `mac show|restore`. */
export function addMac(program: Command, io: Io): void {
  const mac = program
    .command('mac')
    .description('the phones that extensions have on SIP servers')
    .addHelpText(
      'after',
      `${ABOUT}\n\nExamples:\n  $ node-ctl mac show 3010 --server gv2p\n` +
        '  $ node-ctl mac restore 20251112T150000Z-3010-3f9a62c07be1-5e0c81d2 --server gv2p',
    );
  addShow(mac, io);
  addRestore(mac, io);
}

function addShow(mac: Command, io: Io): void {
  mac
    .command('show')
    .description('what each file says of an extension')
    .argument('<ramal>', 'the extension, 3 to 8 digits', extensionOf)
    .requiredOption('--server <id>', 'the server, as SERVERS_FILE names it')
    .addHelpText(
      'after',
      '\nExit codes: 0 all files agree, 4 they do not, or something is wrong with one (the table says what).\n' +
        '\nExamples:\n  $ node-ctl mac show 3010 --server gv2p\n  $ node-ctl mac show 3010 --server gv2p --json',
    )
    .action(async (extension: string, { server }: { server: string }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const view = await client.call('macShow', { extension, server });
        print(view, () => viewText(view));
        return agrees(view) ? EXIT.done : EXIT.incomplete;
      });
    });
}

function addRestore(mac: Command, io: Io): void {
  mac
    .command('restore')
    .description('take a change back, in all its files or none')
    .argument(
      '<backup>',
      'the backup, as the mail about the change and the audit log name it: its name or directory',
    )
    .requiredOption('--server <id>', 'the server, as SERVERS_FILE names it')
    .addHelpText(
      'after',
      '\nGives the extension the MAC back that it had before the change. What others have changed in these files since\n' +
        'stays; where nobody has, the files are as they were, to the byte. It is itself a change with a backup.\n' +
        '\nExit codes: 0 put back (or so already), 2 not possible: no such backup, or the extension has another MAC by now,\n' +
        '3 it failed, and all is as it was.\n' +
        '\nExamples:\n  $ node-ctl mac restore 20251112T150000Z-3010-3f9a62c07be1-5e0c81d2 --server gv2p',
    )
    .action(async (backup: string, { server }: { server: string }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const done = await client.call('macRestore', { backup, server });
        print(done, () => restoredText(done));
        return done.state === 'refused' ? EXIT.refused : EXIT.done;
      });
    });
}

/** Whether all files have the same MAC for the extension, or none. */
function agrees({ files }: MacServerView): boolean {
  const macs = new Set(files.flatMap((file) => file.macs.map((mac) => mac ?? '')));
  return macs.size <= 1 && files.every(({ problem }) => problem === null);
}

function viewText({ extension, server, files }: MacServerView): string {
  const rows = files.map(({ path, macs, problem }) => [
    neutral(path, SHOWN_PATH_LENGTH),
    macs.length === 0 ? '-' : macs.map((mac) => (mac === null ? 'none' : neutral(mac))).join(', '),
    problem ?? '',
  ]);
  const titles = ['FILE', 'MAC', 'PROBLEM'];
  return `${extension} on ${server}\n\n${table(titles, rows)}`;
}

function restoredText({ server, state, files, refusal, warnings, backup }: MacRestored): string {
  if (state === 'refused')
    return neutral(`nothing was changed: ${refusal?.message ?? ''}`, SHOWN_MESSAGE_LENGTH);
  if (state === 'already') return `it is so already on ${neutral(server)}; nothing was changed`;
  const rows = files.map(({ path, before, after }) => [
    neutral(path, SHOWN_PATH_LENGTH),
    neutral(before ?? 'none'),
    neutral(after ?? 'none'),
  ]);
  const titles = ['FILE', 'BEFORE', 'NOW'];
  const told = warnings.map(({ code, message }) =>
    neutral(`warning: ${message} (${code})`, SHOWN_MESSAGE_LENGTH),
  );
  const kept = `the files as they were before: ${neutral(backup ?? '', SHOWN_MESSAGE_LENGTH)}`;
  return [table(titles, rows), '', ...told, kept].join('\n');
}

function extensionOf(text: string): string {
  if (!/^[0-9]{3,8}$/.test(text)) throw new InvalidArgumentError('It must be 3 to 8 digits.');
  return text;
}

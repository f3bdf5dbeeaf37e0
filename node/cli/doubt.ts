import { type Command, Option } from 'commander';
import type { DoubtView } from '../listeners/control-doubts.ts';
import { AppError } from '../platform/errors.ts';
import { idPrefixOf } from './arguments.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { localTime, neutral, table } from './text.ts';

const SHOWN_ID_DIGITS = 12;
const SHOWN_FROM_LENGTH = 40;
const SHOWN_SUBJECT_LENGTH = 60;

const ABOUT = `
A mail comes into doubt when this node cannot know whether it was dealt with: somebody had opened it, and it is in no
ledger, after the mailbox got new UIDs or after this node took the mailbox over by force. It is not worked before a
person decides.

The doubts of a node are of the time when it was master: after a handoff they stay on that node, so look on both.`;

/** `doubt list|resolve`. */
export function addDoubt(program: Command, io: Io): void {
  const doubt = program
    .command('doubt')
    .description('mails of which nobody knows whether they were dealt with')
    .addHelpText(
      'after',
      `${ABOUT}\n\nExamples:\n  $ node-ctl doubt list\n  $ node-ctl doubt resolve 3f9a1c02 --take`,
    );
  addList(doubt, io);
  addResolve(doubt, io);
}

function addList(doubt: Command, io: Io): void {
  doubt
    .command('list')
    .description('the mails in doubt on this node, newest first')
    .addHelpText('after', `${ABOUT}\n\nExamples:\n  $ node-ctl doubt list\n  $ node-ctl doubt list --json`)
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const found = await client.call('doubts', {});
        print(found, () => listText(found.doubts));
        return EXIT.done;
      });
    });
}

function addResolve(doubt: Command, io: Io): void {
  doubt
    .command('resolve')
    .description('decide on a mail in doubt')
    .argument('<id>', 'the id of a mail in doubt or the beginning of one', idPrefixOf('doubt list'))
    .addOption(
      new Option('--take', 'it was not dealt with: put its request into the queue').conflicts('dismiss'),
    )
    .addOption(new Option('--dismiss', 'it was dealt with, or is not to be: leave it as it is'))
    .addHelpText(
      'after',
      '\nBefore --take, look into the mailbox of sent mails, or ask who sent it: taken twice, it is answered twice.\n' +
        '\nExit codes: 0 decided, 2 no such mail or not possible (the message says why), 3 the daemon failed; then the\n' +
        'same command again finishes what was begun.\n' +
        '\nExamples:\n  $ node-ctl doubt resolve 3f9a1c02 --take\n  $ node-ctl doubt resolve 3f9a1c02 --dismiss',
    )
    .action(async (id: string, options: { take?: boolean; dismiss?: boolean }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        if (options.take !== true && options.dismiss !== true) {
          throw new AppError(
            'cli.usage',
            'say --take or --dismiss; node-ctl doubt resolve --help tells which',
          );
        }
        const how = options.take === true ? 'take' : 'dismiss';
        const done = await client.call('resolveDoubt', { id, how });
        print(done, () => neutral(done.message, 1000));
        return EXIT.done;
      });
    });
}

function listText(doubts: readonly DoubtView[]): string {
  if (doubts.length === 0) return 'no mail is in doubt on this node';
  const rows = doubts.map((doubt) => [
    doubt.id.slice(0, SHOWN_ID_DIGITS),
    localTime(doubt.receivedAt),
    doubt.command,
    neutral(doubt.from, SHOWN_FROM_LENGTH),
    neutral(doubt.subject, SHOWN_SUBJECT_LENGTH),
  ]);
  const titles = ['ID', 'RECEIVED', 'COMMAND', 'FROM', 'SUBJECT'];
  return `${table(titles, rows)}\n\nDecide on each: node-ctl doubt resolve ID --take (work it) or --dismiss (leave it)`;
}

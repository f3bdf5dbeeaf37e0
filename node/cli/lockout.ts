import { type Command, Option } from 'commander';
import type { LockView } from '../listeners/control-tokens.ts';
import { AppError } from '../platform/errors.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { localTime, neutral, table } from './text.ts';

const EVERYBODY = '*';
const ABOUT = `
Five wrong tokens of a sender within an hour lock that sender out, a hundred of all within a day everybody: for a day, or
until the lock is lifted here. Each node counts for itself what came while it was master.`;

/** `lockout list|clear`. */
export function addLockout(program: Command, io: Io): void {
  const lockout = program
    .command('lockout')
    .description('who is locked out after wrong tokens')
    .addHelpText(
      'after',
      `${ABOUT}\n\nExamples:\n  $ node-ctl lockout list\n  $ node-ctl lockout clear pessoa@example.com`,
    );
  lockout
    .command('list')
    .description('who is locked out on this node, newest first')
    .addHelpText('after', ABOUT)
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const found = await client.call('lockouts', {});
        print(found, () => listText(found.locks));
        return EXIT.done;
      });
    });
  lockout
    .command('clear')
    .description('lift a lock, and forget the wrong tokens that led to it')
    .argument('[address]', 'whose lock')
    .addOption(new Option('--everybody', 'the lock on everybody'))
    .addHelpText(
      'after',
      '\nExamples:\n  $ node-ctl lockout clear pessoa@example.com\n  $ node-ctl lockout clear --everybody',
    )
    .action(async (address: string | undefined, options: { everybody?: boolean }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        if ((address === undefined) === (options.everybody !== true)) {
          throw new AppError('cli.usage', 'name an address, or say --everybody');
        }
        const done = await client.call('lockoutClear', { who: address ?? EVERYBODY });
        print(done, () => neutral(done.message, 1000));
        return EXIT.done;
      });
    });
}

function listText(locks: readonly LockView[]): string {
  if (locks.length === 0) return 'nobody is locked out on this node';
  const rows = locks.map(({ who, since, until }) => [
    who === EVERYBODY ? 'everybody' : who,
    localTime(since),
    localTime(until),
  ]);
  return table(['WHO', 'SINCE', 'UNTIL'], rows);
}

import { Argument, type Command } from 'commander';
import type { Pausable } from '../listeners/control-contract.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { neutral } from './text.ts';

const PAUSABLE: readonly Pausable[] = ['ingest', 'queue'];

/** `pause|resume ingest|queue`. */
export function addPauseAndResume(program: Command, io: Io): void {
  add(program, io, 'pause', 'stop taking mails (ingest) or working jobs (queue); what runs is finished');
  add(program, io, 'resume', 'go on after a pause');
}

function add(program: Command, io: Io, act: 'pause' | 'resume', description: string): void {
  program
    .command(act)
    .description(description)
    .addArgument(new Argument('<what>', 'what to ' + act).choices(PAUSABLE))
    .addHelpText('after', `\nExamples:\n  $ node-ctl ${act} ingest\n  $ node-ctl ${act} queue`)
    .action(async (what: Pausable, _options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const done = await client.call(act, { what });
        print(done, () => neutral(done.message, 1000));
        return EXIT.done;
      });
    });
}

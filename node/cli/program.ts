import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { DEFAULT_CONFIG_FILE } from '../config/file.ts';
import { addAudit } from './audit.ts';
import type { Io } from './context.ts';
import { addDoubt } from './doubt.ts';
import { EXIT, EXIT_HELP } from './exit-codes.ts';
import { addIndex } from './indexes.ts';
import { addLeadership } from './leadership.ts';
import { addLink } from './link.ts';
import { addMac } from './mac.ts';
import { addPair } from './pair.ts';
import { addLockout } from './lockout.ts';
import { addPauseAndResume } from './pause.ts';
import { addQuarantine } from './quarantine.ts';
import { addPeople } from './people.ts';
import { addQueue } from './queue.ts';
import { addRecordings } from './recordings.ts';
import { addServer } from './server.ts';
import { addStatus } from './status.ts';
import { addToken } from './token.ts';

const OVERVIEW = `
Examples:
  $ node-ctl status
  $ node-ctl queue list --state failed
  $ node-ctl recordings search --ramais 1121 --inicio 27/10/2025 --fim 28/10/2025
${EXIT_HELP}

The daemon is found by --socket, else by CONTROL_SOCKET or STATE_DIR in the configuration file.`;

/** node-ctl, with everything it has of the world as a parameter. */
function createProgram(io: Io): Command {
  const program = new Command('node-ctl')
    .description('Looks at and steers the Parelha daemon of this host, over its control socket.')
    .version(packageJson.version)
    .option('--socket <path>', 'the control socket of the daemon')
    .option('--config <file>', `its configuration file (default: $PARELHA_CONFIG, or ${DEFAULT_CONFIG_FILE})`)
    .option('--json', 'print JSON, errors too (on stderr)')
    .addHelpText('after', OVERVIEW)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('(node-ctl --help, or --help after a command, shows how)')
    .exitOverride();
  addStatus(program, io);
  addQueue(program, io);
  addPauseAndResume(program, io);
  addRecordings(program, io);
  addIndex(program, io);
  addLeadership(program, io);
  addPair(program, io);
  addPeople(program, io);
  addDoubt(program, io);
  addQuarantine(program, io);
  addToken(program, io);
  addLockout(program, io);
  addAudit(program, io);
  addServer(program, io);
  addMac(program, io);
  addLink(program, io);
  return program;
}

/** Runs one command line to its end; `io.exit` is told how it ended. Throws only what is a fault of ours. */
export async function runNodeCtl(args: readonly string[], io: Io): Promise<void> {
  try {
    await createProgram(io).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // commander has said what is wrong; help and version end well.
    io.exit(error.exitCode === 0 ? EXIT.done : EXIT.refused);
  }
}

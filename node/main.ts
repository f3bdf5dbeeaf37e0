import { parseArgs } from 'node:util';
import { loadConfig } from './config.ts';
import { createNode } from './node.ts';
import { AppError, messageOf } from './platform/errors.ts';
import { createLog } from './platform/log.ts';

const USAGE = `Usage: node node/main.ts --config FILE [--check]

Runs one node in the foreground until SIGTERM or SIGINT. FILE holds KEY=VALUE lines; environment
variables of the same names go over it. config/node.conf.example documents every key.

  --check   says what is wrong with FILE and the files that it names, and runs nothing

Exit codes: 0 ended as told, or FILE is good; 64 wrong usage; 70 failed; 78 FILE is wrong
`;

/** Exit codes as sysexits(3) has them: systemd shows them, and `RestartPreventExitStatus` can name them. */
const EXIT_USAGE = 64;
const EXIT_SOFTWARE = 70;
const EXIT_CONFIG = 78;

/** Nothing that a node makes is for others to read, whatever writes it. */
process.umask(0o077);

/** Runs a node until it is told to stop; gives the exit code. */
async function main(): Promise<number> {
  const values = readArguments();
  if (values === null) return EXIT_USAGE;
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (values.config === undefined) {
    process.stderr.write(USAGE);
    return EXIT_USAGE;
  }
  const { config, warnings } = await loadConfig({ file: values.config, env: process.env });
  if (values.check === true) {
    process.stdout.write(warnings.map((warning) => `warning: ${warning}\n`).join(''));
    return 0;
  }
  const log = createLog({
    level: config.logLevel,
    style: process.env['JOURNAL_STREAM'] === undefined ? 'terminal' : 'journal',
    write: (line) => process.stdout.write(line),
  });
  for (const warning of warnings) log.warn(warning);

  const stopped = Promise.withResolvers<string>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopped.resolve(signal));
  await using node = await createNode(config, { log, warnings });
  await node.start();
  log.info('stopping', { reason: await Promise.race([stopped.promise, node.failed]) });
  return 0;
}

/** The command line; null where it is none of ours, which has then been said. */
function readArguments(): { config?: string; check?: boolean; help?: boolean } | null {
  try {
    const [text, flag] = [{ type: 'string' }, { type: 'boolean' }] as const;
    return parseArgs({ options: { config: text, check: flag, help: flag } }).values;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${USAGE}`);
    return null;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof AppError ? error.message : (error as Error).stack}\n`);
  process.exitCode =
    error instanceof AppError && error.code.startsWith('config.') ? EXIT_CONFIG : EXIT_SOFTWARE;
}

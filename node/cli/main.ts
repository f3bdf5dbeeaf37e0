import { systemClock } from '../platform/clock.ts';
import { EXIT } from './exit-codes.ts';
import { runNodeCtl } from './program.ts';

/** Ctrl-C lets a command that waits say a last word, for this long. */
const LAST_WORD_MS = 200;

const interruption = new AbortController();
process.once('SIGINT', () => {
  interruption.abort();
  setTimeout(() => process.exit(EXIT.interrupted), LAST_WORD_MS).unref();
});
// `node-ctl … | head` closes the pipe early, which is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.done);
});

await runNodeCtl(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  errIsTerminal: process.stderr.isTTY,
  env: process.env,
  clock: systemClock,
  interrupted: interruption.signal,
  exit: (code) => {
    process.exitCode = code;
  },
});

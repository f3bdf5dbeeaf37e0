import type { Client, ClientChannel } from 'ssh2';
import type { Clock } from '../platform/clock.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { askSsh } from '../platform/openssh.ts';
import type { Server } from './inventory.ts';
import type { Ran, RunOptions } from './remote.ts';
import { shellCommand } from './shell-words.ts';
import { addressOf, lostConnection } from './ssh-errors.ts';

const RUN_TIMEOUT_MS = 20_000;
/** Of standard output and standard error together. */
export const MAX_OUTPUT_BYTES = 1_048_576;

const NOTHING: Ran = { code: null, stdout: '', stderr: '' };

/** Runs one program over a connection. @throws AppError as `RemoteSession.run` */
export async function runProgram(
  client: Client,
  server: Server,
  clock: Clock,
  argv: readonly string[],
  { input = '', timeoutMs = RUN_TIMEOUT_MS }: RunOptions = {},
): Promise<Ran> {
  const command = shellCommand(argv);
  const program = `${addressOf(server)}: ${argv[0] ?? ''}`;
  const over = new AbortController();
  const late = new AppError('server.timeout', `${program} took longer than ${timeoutMs / 1000} s`, {
    retriable: true,
  });
  const deadline = new AbortController();
  void clock.sleep(timeoutMs, over.signal).then(
    () => deadline.abort(late),
    () => undefined, // it was in time
  );
  let channel: ClientChannel | null = null;
  try {
    const lost = (): Error => lostConnection(server);
    return await askSsh<Ran>(client, deadline.signal, lost, (done) =>
      client.exec(command, (error, opened) => {
        if (error) {
          done(error, NOTHING);
          return;
        }
        channel = opened;
        // At once: a server may tell how a short program ended in the packet that says that it runs.
        collect(opened, program, input, done);
      }),
    );
  } catch (error) {
    if (channel !== null) end(channel);
    if (error instanceof AppError) throw error;
    throw new AppError('server.refused', `${program}: sshd does not run it: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    over.abort();
  }
}

function collect(
  channel: ClientChannel,
  program: string,
  input: string,
  done: (error: Error | null, ran: Ran) => void,
): void {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let bytes = 0;
  let code: number | null = null;
  const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString('utf8');
  const ran = (): Ran => ({ code, stdout: text(stdout), stderr: text(stderr) });
  const take = (into: Buffer[]) => (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_OUTPUT_BYTES) into.push(chunk);
    else
      done(
        new AppError('server.too-much-output', `${program} says more than ${MAX_OUTPUT_BYTES} bytes`),
        ran(),
      );
  };
  channel.on('data', take(stdout));
  channel.stderr.on('data', take(stderr));
  channel.on('exit', (status: number | null) => {
    code = status;
  });
  // A program that does not read its input is none the worse for it.
  channel.on('error', () => undefined);
  channel.on('close', () => done(null, ran()));
  channel.end(input);
}

/**
 * Cuts a program off whose answer nobody waits for any more. No signal: OpenSSH passes none on to what is forced, nor
 * where root is logged in.
 */
function end(channel: ClientChannel): void {
  try {
    channel.destroy();
  } catch {
    // the connection is gone, and the channel with it
  }
}

import type { Command } from 'commander';
import { messageOf, codeOf, AppError } from '../platform/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { connectControl, type ControlClient } from './client.ts';
import { exitCodeOf } from './exit-codes.ts';
import { findSocket, type SocketOptions } from './socket-path.ts';
import { jsonText, neutral, neutralLines } from './text.ts';

/** What node-ctl has of the world. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether a person watches stderr, so that a line may be drawn over. */
  readonly errIsTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborts on Ctrl-C. */
  readonly interrupted: AbortSignal;
  /** Called once, with the exit code. */
  readonly exit: (code: number) => void;
}

/** What a command is given besides its own arguments. */
export interface Context {
  readonly io: Io;
  readonly client: ControlClient;
  /** `value` as JSON with --json, else the text made of it. */
  readonly print: (value: unknown, text: () => string) => void;
}

interface GlobalOptions extends SocketOptions {
  readonly json?: boolean;
}

/** Carries a command out with a client, and turns what it throws into a message and an exit code. */
export async function runCommand(
  io: Io,
  command: Command,
  work: (context: Context) => Promise<number>,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const json = options.json === true;
  let client: ControlClient | null = null;
  try {
    client = await connectControl(await findSocket(options, io.env));
    const print: Context['print'] = (value, text) => io.out(`${json ? jsonText(value) : text()}\n`);
    io.exit(await work({ io, client, print }));
  } catch (error) {
    io.err(json ? `${jsonText(problemOf(error))}\n` : `${sentenceOf(error)}\n`);
    io.exit(exitCodeOf(error));
  } finally {
    await client?.close();
  }
}

function problemOf(error: unknown): { code: string; message: string } {
  return { code: codeOf(error), message: error instanceof AppError ? error.message : messageOf(error) };
}

function sentenceOf(error: unknown): string {
  const { code, message } = problemOf(error);
  return `node-ctl: ${neutralLines(message)} (${neutral(code)})`;
}

import { resolve } from 'node:path';
import {
  controlSocketPath,
  DEFAULT_CONFIG_FILE,
  parseConfigText,
  readTextFile,
  whyUnreadable,
} from '../config/file.ts';
import { isMissing } from '../platform/durable.ts';
import { AppError, codeOf } from '../platform/errors.ts';

export interface SocketOptions {
  readonly socket?: string | undefined;
  readonly config?: string | undefined;
}

/**
 * Where the daemon listens: `--socket`, else CONTROL_SOCKET or STATE_DIR of the environment or the configuration
 * file (`--config`, PARELHA_CONFIG, or the usual place). Of the file only these two keys are looked at, whatever
 * else is wrong with it. @throws AppError `cli.usage`, `control.denied`
 */
export async function findSocket(
  options: SocketOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if (options.socket !== undefined) return resolve(options.socket);
  const named = options.config ?? nonEmpty(env['PARELHA_CONFIG']);
  const file = named ?? DEFAULT_CONFIG_FILE;
  const keys = await readKeys(file, named === null);
  return controlSocketPath(
    file,
    nonEmpty(env['CONTROL_SOCKET']) ?? nonEmpty(keys.get('CONTROL_SOCKET')),
    nonEmpty(env['STATE_DIR']) ?? nonEmpty(keys.get('STATE_DIR')),
  );
}

async function readKeys(file: string, mayBeMissing: boolean): Promise<ReadonlyMap<string, string>> {
  try {
    const { text } = await readTextFile(file);
    return new Map(parseConfigText(text).entries.map((entry) => [entry.key, entry.value]));
  } catch (error) {
    if (mayBeMissing && isMissing(error)) return new Map();
    const denied = codeOf(error) === 'EACCES';
    const remedy = denied
      ? 'run node-ctl as root or as the daemon’s user, or name the socket with --socket'
      : 'see --config';
    throw new AppError(
      denied ? 'control.denied' : 'cli.usage',
      `${file} ${whyUnreadable(error)}; ${remedy}`,
      {
        cause: error,
      },
    );
  }
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text.trim() === '' ? null : text.trim();
}

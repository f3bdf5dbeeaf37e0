import { dirname, resolve } from 'node:path';
import { buildConfig, type Referenced } from './config/build.ts';
import type { Config } from './config/shape.ts';
import { readTextFile, type ReadTextFile, type TextFile, whyUnreadable } from './config/file.ts';
import type { KeyName, Values } from './config/keys.ts';
import { describe, describeWarning, type Problem, type Reading, readKeys } from './config/reading.ts';
import { brokenRules, doubtfulRules, whyTooOpen } from './config/rules.ts';
import { AppError } from './platform/errors.ts';
import { parseInventory } from './servers/inventory.ts';

export type { Config } from './config/shape.ts';

export interface LoadOptions {
  readonly file: string;
  /** Set over the file; variables that are not keys of ours are passed over. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile?: ReadTextFile;
  /** The groups of the process. */
  readonly groups?: readonly number[];
}

/**
 * Reads and checks the configuration, and the files it names.
 * @throws AppError `config.invalid`: its message lists every problem, one a line, as
 * `FILE:LINE KEY: what is wrong; example: KEY=…`, and repeats no value
 */
export async function loadConfig(options: LoadOptions): Promise<{ config: Config; warnings: string[] }> {
  const { file } = options;
  const readFile = options.readFile ?? readTextFile;
  let content: TextFile;
  try {
    content = await readFile(file);
  } catch (error) {
    throw new AppError('config.invalid', `${file}: ${whyUnreadable(error)}`, { cause: error });
  }
  const reading = readKeys(file, content.text, options.env);
  const { values } = reading;
  const at = ({ key, what }: { key: KeyName; what: string }): Problem => ({
    where: reading.whereIs(key),
    key,
    what,
  });
  const open = reading.secretsInFile.length > 0 ? whyTooOpen(content, options.groups ?? ownGroups()) : null;
  const problems: Problem[] = [...reading.problems, ...brokenRules(values, file).map(at)];
  if (open !== null) {
    const what = `holds ${reading.secretsInFile.join(', ')}, and ${open}; run: chmod 600 ${quoted(file)}`;
    problems.push({ where: file, key: null, what });
  }
  const warnings: Problem[] = [...reading.warnings, ...doubtfulRules(values, file).map(at)];
  const referenced = await readReferenced(file, reading, readFile, problems, warnings);
  if (problems.length > 0) throw new AppError('config.invalid', describe(problems));
  return {
    config: buildConfig(values as Values, file, referenced),
    warnings: warnings.map(describeWarning),
  };
}

function ownGroups(): number[] {
  return [...(process.getgroups?.() ?? []), ...(process.getegid === undefined ? [] : [process.getegid()])];
}

/** Reads the certificates, the inventory and (only to see that it is there) the token file. */
async function readReferenced(
  file: string,
  reading: Reading,
  readFile: ReadTextFile,
  problems: Problem[],
  warnings: Problem[],
): Promise<Referenced> {
  const { values } = reading;
  const read = async (key: KeyName, path: string | null | undefined) => {
    if (path == null) return null;
    try {
      return await readFile(resolve(dirname(file), path));
    } catch (error) {
      problems.push({ where: reading.whereIs(key), key, what: `names a file that ${whyUnreadable(error)}` });
      return null;
    }
  };
  const certificates = async (key: 'IMAP_CA_FILE' | 'SMTP_CA_FILE') => {
    const text = (await read(key, values[key]))?.text ?? null;
    if (text === null || text.includes('-----BEGIN CERTIFICATE-----')) return text;
    problems.push({ where: reading.whereIs(key), key, what: 'names a file without a PEM certificate' });
    return null;
  };
  const tokens = await read('TOKEN_FILE', values.TOKEN_FILE);
  if (tokens !== null && (tokens.mode & 0o007) !== 0) {
    const what = `names a file that others have access to; run: chmod 600 ${quoted(values.TOKEN_FILE ?? '')}`;
    warnings.push({ where: reading.whereIs('TOKEN_FILE'), key: 'TOKEN_FILE', what });
  }
  const inventory = await read('SERVERS_FILE', values.SERVERS_FILE);
  const parsed = inventory === null ? null : parseInventory(inventory.text);
  const where = resolve(dirname(file), values.SERVERS_FILE ?? '');
  if (parsed?.ok === false) {
    for (const problem of parsed.problems) problems.push({ where, key: null, what: problem });
  }
  if (parsed?.ok === true) warnings.push(...parsed.doubts.map((what) => ({ where, key: null, what })));
  return {
    imapCa: await certificates('IMAP_CA_FILE'),
    smtpCa: await certificates('SMTP_CA_FILE'),
    servers: parsed?.ok === true ? parsed.servers : [],
  };
}

/** A path as one word of a shell command. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

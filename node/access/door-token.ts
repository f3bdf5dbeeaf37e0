import { createHash, timingSafeEqual } from 'node:crypto';
import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { readBounded } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_TOKENS = 10_000;
/** Tokens of a subject that are compared; nobody writes more. */
const MAX_CANDIDATES = 10;

const fileSchema = z.looseObject({
  tokens: z
    .array(
      z.looseObject({
        token: z.string(),
        enabled: z.boolean().default(true),
        description: z.string().catch('').default(''),
      }),
    )
    .max(MAX_TOKENS),
});

/** The tokens that open the door, as TOKEN_FILE lists them. */
export interface DoorTokens {
  /** Whether one of these is a token that is listed and enabled. */
  accepts(candidates: readonly string[]): Promise<boolean>;
  /** All that are listed, in upper case; also those that are not enabled, which may be so again. */
  listed(): Promise<ReadonlySet<string>>;
  /** Those that are enabled, each with its description; for whoever takes them over. */
  enabled(): Promise<readonly { readonly token: string; readonly note: string }[]>;
}

/**
 * Opens TOKEN_FILE: one token a line with `#` comments, or `{"tokens": [{"token", "description", "enabled"}]}`.
 * It is read again when it changes; a file that is broken then leaves the last good list in force, with a
 * warning. @throws AppError `access.token-file` where it cannot be used at the start
 */
export async function openDoorTokens(path: string, log: Log): Promise<DoorTokens> {
  let version = await versionOf(path);
  let list = await load(path);
  let warned = '';

  const refresh = async (): Promise<void> => {
    try {
      const current = await versionOf(path);
      if (current === version) return;
      list = await load(path);
      version = current;
      warned = '';
      log.info('the door tokens were read again', { tokens: list.digests.length });
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== warned) log.warn('TOKEN_FILE is broken, its last good list stays in force', { reason });
      warned = reason;
    }
  };

  return {
    accepts: async (candidates) => {
      await refresh();
      let accepted = false;
      for (const candidate of candidates.slice(0, MAX_CANDIDATES)) {
        const digest = digestOf(candidate);
        // All are compared, whichever fits: the time tells nothing about a token.
        for (const known of list.digests) accepted = timingSafeEqual(known, digest) || accepted;
      }
      return accepted;
    },
    listed: async () => {
      await refresh();
      return list.all;
    },
    enabled: async () => {
      await refresh();
      return list.enabled;
    },
  };
}

async function versionOf(path: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch (error) {
    throw broken(path, messageOf(error), error);
  }
}

interface TokenList {
  /** Of those that open the door. */
  readonly digests: readonly Buffer[];
  readonly all: ReadonlySet<string>;
  readonly enabled: readonly Listed[];
}

interface Listed {
  readonly token: string;
  readonly enabled: boolean;
  /** Its description. */
  readonly note: string;
}

async function load(path: string): Promise<TokenList> {
  let text: string;
  try {
    text = (await readBounded(path, MAX_FILE_BYTES)).toString('utf8');
  } catch (error) {
    throw broken(path, messageOf(error), error);
  }
  const tokens = text.trimStart().startsWith('{') ? fromJson(path, text) : fromLines(path, text);
  const enabled = tokens.filter((token) => token.enabled);
  return {
    enabled,
    digests: enabled.map(({ token }) => digestOf(token)),
    all: new Set(tokens.map(({ token }) => token)),
  };
}

function fromJson(path: string, text: string): Listed[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    // The parser's own message would quote the file.
    throw broken(path, 'it begins as JSON and is not', error instanceof SyntaxError ? undefined : error);
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    throw broken(
      path,
      parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`).join('; '),
    );
  }
  return parsed.data.tokens.map(({ token, enabled, description }, index) => {
    const plain = tokenOf(token);
    if (plain === null) throw broken(path, `tokens.${index} is not 8 hexadecimal digits`);
    return { token: plain, enabled, note: description };
  });
}

function fromLines(path: string, text: string): Listed[] {
  const tokens: Listed[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const word = (line.split('#')[0] ?? '').trim();
    if (word === '') continue;
    const token = tokenOf(word);
    if (token === null) throw broken(path, `line ${index + 1} is not 8 hexadecimal digits`);
    tokens.push({ token, enabled: true, note: '' });
    if (tokens.length > MAX_TOKENS) throw broken(path, `it has more than ${MAX_TOKENS} tokens`);
  }
  return tokens;
}

function tokenOf(text: string): string | null {
  return /^\[?([0-9a-f]{8})\]?$/i.exec(text.trim())?.[1]?.toUpperCase() ?? null;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function broken(path: string, reason: string, cause?: unknown): AppError {
  return new AppError('access.token-file', `${path}: ${reason}`, { cause });
}

import { isIP } from 'node:net';
import * as z from 'zod';
import { type BucketLayout, parseLayout } from '../recordings/bucket-layout.ts';

const MAX_HOST_LENGTH = 253;
const MAX_LIST_ENTRIES = 10_000;
const HOST = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const ADDRESS = /^[^\s@<>,;:"()[\]\\]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
const DOMAIN = /^@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/**
 * The text of a value read as something; `what` completes the sentence "KEY: …". No message repeats the value:
 * a password pasted into the wrong line must not reach a terminal or the journal.
 */
function reads<T>(what: string, read: (text: string) => T | undefined): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue(what);
    return z.NEVER;
  });
}

/** Any text; what it means is for a server to say. */
export const text: z.ZodType<string, string> = z.string();

/** A whole number within bounds, both included. */
export function wholeNumber(from: number, to: number): z.ZodType<number, string> {
  return reads(`must be a whole number from ${from} to ${to}`, (value) => {
    const number = /^\d{1,13}$/.test(value) ? Number(value) : Number.NaN;
    return number >= from && number <= to ? number : undefined;
  });
}

export const port = wholeNumber(1, 65_535);

/** One of a few words, in any case. */
export function word<const T extends string>(...words: readonly T[]): z.ZodType<T, string> {
  return reads(`must be ${words.join(' or ')}`, (value) =>
    words.find((candidate) => candidate === value.toLowerCase()),
  );
}

const YES = new Set(['yes', 'on', 'true', '1', 'sim']);
const NO = new Set(['no', 'off', 'false', '0', 'nao', 'não']);
export const yesOrNo = reads('must be yes or no', (value) => {
  const lower = value.toLowerCase();
  if (YES.has(lower)) return true;
  return NO.has(lower) ? false : undefined;
});

/** Absolute, or relative to the directory of the configuration file (resolved later, where that is known). */
export const path = reads('must be a path (~ is not expanded)', (value) =>
  value.startsWith('~') ? undefined : value,
);

export const host = reads('must be a host name or an IP address, without port', (value) =>
  value.length <= MAX_HOST_LENGTH && (isIP(value) !== 0 || HOST.test(value)) ? value : undefined,
);

export const address = reads('must be a mail address', (value) =>
  ADDRESS.test(value) ? value.toLowerCase() : undefined,
);

/** A mail address with the name that is shown beside it; the name may be empty. */
export interface NamedAddress {
  readonly name: string;
  readonly address: string;
}

export const namedAddress = reads('must be ADDRESS or NAME <ADDRESS>', (value): NamedAddress | undefined => {
  const parts = /^(.{0,200}?)\s*<([^<>]+)>$/.exec(value);
  const bare = parts?.[2] ?? value;
  if (!ADDRESS.test(bare)) return undefined;
  return { name: (parts?.[1] ?? '').replaceAll('"', '').trim(), address: bare.toLowerCase() };
});

/** True where the text is a mail address. */
export function isAddress(value: string): boolean {
  return ADDRESS.test(value);
}

/** Addresses and `@domain`s, separated by commas, semicolons or blanks; in lower case, each once. */
export const whitelist: z.ZodType<readonly string[], string> = z.string().transform((value, context) => {
  const entries = value.split(/[\s,;]+/).filter((entry) => entry !== '');
  const bad = entries.findIndex((entry) => !ADDRESS.test(entry) && !DOMAIN.test(entry));
  if (bad !== -1) context.addIssue(`entry ${bad + 1} is neither an address nor @domain`);
  if (entries.length === 0) context.addIssue('must name at least one address');
  if (entries.length > MAX_LIST_ENTRIES) context.addIssue(`must have at most ${MAX_LIST_ENTRIES} entries`);
  return [...new Set(entries.map((entry) => entry.toLowerCase()))];
});

/** Which sources the node serves; `none` for a node that only reads mail. */
export const sources = reads('must be audio, s3, audio,s3 or none', (value) => {
  const names = value.toLowerCase().split(/[\s,;]+/);
  if (names.length === 1 && names[0] === 'none') return [];
  const known = names.filter((name) => name === 'audio' || name === 's3');
  return known.length === names.length ? [...new Set(known)] : undefined;
});

/** Names the node in keys, paths and links. */
export const nodeId = reads(
  'must be 1 to 32 of a-z, 0-9 and -, beginning with a letter',
  (value) => /^[a-z][a-z0-9-]{0,31}$/.exec(value)?.[0],
);

export const timeZone = reads('must be a time zone of the IANA database', (value) => {
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(value).timeZoneId;
  } catch {
    return undefined; // RangeError is how Temporal says that it knows no such zone.
  }
});

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `PORT` (loopback alone), `HOST:PORT` or `[IPV6]:PORT`. */
export const listen = reads('must be PORT, HOST:PORT or [IPV6]:PORT', (value): ListenAddress | undefined => {
  const parts = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):)?(\d{1,5})$/.exec(value);
  const number = Number(parts?.[3]);
  if (parts === null || number < 1 || number > 65_535) return undefined;
  if (parts[1] !== undefined && isIP(parts[1]) !== 6) return undefined;
  return { host: parts[1] ?? parts[2] ?? '127.0.0.1', port: number };
});

/** True where a host cannot be reached from elsewhere, so that plain text on it is seen by nobody. */
export function isLoopback(name: string): boolean {
  const bare = name.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** An absolute http(s) URL without credentials, query or fragment; `path` says whether one may follow the host. */
function parseUrl(value: string): URL | undefined {
  const url = URL.parse(value);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return undefined;
  const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  return bare && !value.includes('?') && !value.includes('#') ? url : undefined;
}

/** What links begin with, without a slash at the end. */
export const publicUrl = reads(
  'must be an https URL (http only on a loopback address), without user, query or fragment',
  (value) => {
    const url = parseUrl(value);
    if (url === undefined || (url.protocol === 'http:' && !isLoopback(url.hostname))) return undefined;
    return url.href.replace(/\/+$/, '');
  },
);

/** Where the peer's RPC listens: nothing but a host and a port. */
export const peerUrl = reads(
  'must be an https URL of host and port alone, as https://audio2:7443',
  (value) => {
    const url = parseUrl(value);
    return url !== undefined && url.protocol === 'https:' && url.pathname === '/' ? url.origin : undefined;
  },
);

/** An absolute path on another host. */
export const remotePath = reads('must be an absolute path', (value) =>
  value.startsWith('/') && value.length <= 1000 ? value.replace(/(?<=.)\/+$/, '') : undefined,
);

export const endpoint = reads('must be an http or https URL, without user, query or fragment', (value) =>
  parseUrl(value)?.href.replace(/\/+$/, ''),
);

/** AWS's rule for bucket names (S3 user guide, "Bucket naming rules"). */
export const bucket = reads('must be a bucket name: 3 to 63 of a-z, 0-9, . and -', (value) =>
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value) && !value.includes('..') ? value : undefined,
);

/** Path segments before the keys of what is published, without slashes at the ends. */
export const keyPrefix = reads('must be made of A-Z, a-z, 0-9, ., _, - and / between them', (value) => {
  const trimmed = value.replaceAll(/^\/+|\/+$/g, '');
  const segments = trimmed.split('/');
  const fine = segments.every((segment) => /^[A-Za-z0-9._-]{1,100}$/.test(segment) && !/^\.+$/.test(segment));
  return fine && trimmed.length <= 300 ? trimmed : undefined;
});

/**
 * Directories of a bucket that others have named, without the slash at their end; may hold what {@link keyPrefix} does not
 * let us write. A key is at most 1,024 bytes long (S3 user guide, "Naming objects").
 */
export const bucketPrefix = reads(
  'must be at most 500 printable characters, and not begin with / (a key has none before its first directory)',
  (value) =>
    /^(?!\/)[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,500}$/u.test(value) ? value.replace(/\/$/, '') : undefined,
);

/** `flat`, or directories that tell the day. */
export const bucketLayout: z.ZodType<BucketLayout, string> = z.string().transform((value, context) => {
  const parsed = parseLayout(value);
  if (parsed.ok) return parsed.layout;
  context.addIssue(parsed.fault);
  return z.NEVER;
});

/** Where mails that were sent are filed: found by its special use, nowhere, or a name. */
export type SentMailbox = 'auto' | 'none' | { readonly name: string };

export const sentMailbox: z.ZodType<SentMailbox, string> = z.string().transform((value) => {
  const lower = value.toLowerCase();
  return lower === 'auto' || lower === 'none' ? lower : { name: value };
});

/** How the sender of a mail is proved; see node/access/sender-proof.ts. */
export type SenderAuth =
  | { readonly kind: 'off' }
  | { readonly kind: 'verify' }
  /** The word of the receiving server, known by its authserv-id (RFC 8601 section 2.5), in lower case. */
  | { readonly kind: 'results'; readonly authservId: string };

export const senderAuth = reads(
  'must be the authserv-id of the receiving server (as mx.google.com), verify or off',
  (value): SenderAuth | undefined => {
    const lower = value.toLowerCase();
    if (lower === 'off' || lower === 'verify') return { kind: lower };
    // A word alone is no server: `on` or `yes` must not stand for one that never says anything.
    return HOST.test(lower) && lower.includes('.') ? { kind: 'results', authservId: lower } : undefined;
  },
);

/** Keywords of commands, separated by commas or blanks; in upper case, each once. */
export const commandNames: z.ZodType<readonly string[], string> = reads(
  'must be names of commands, as RAMAIS,STATUS',
  (value) => {
    const names = value
      .toUpperCase()
      .split(/[\s,;]+/)
      .filter((name) => name !== '');
    return names.every((name) => /^[A-Z]{2,20}$/.test(name)) ? [...new Set(names)] : undefined;
  },
);

/** A user of another host. */
export const loginName = reads('must be the name of a user', (value) =>
  /^[a-z_][a-z0-9_.-]{0,31}$/i.test(value) ? value : undefined,
);

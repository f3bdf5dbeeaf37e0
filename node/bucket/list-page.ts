import { AppError } from '../platform/errors.ts';

/** An object as a listing tells of it. */
export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** In cold storage, with no restored copy that could be read. */
  readonly archived: boolean;
}

/** A page of a listing (ListObjectsV2), at most 1,000 entries. */
export interface ListPage {
  /** Ordered by key, as UTF-8 bytes. */
  readonly objects: readonly ListedObject[];
  /** With a delimiter: what keys that hold it after the prefix begin with, up to and with the delimiter. */
  readonly directories: readonly string[];
  /** Goes on with the listing; null where it has ended. */
  readonly token: string | null;
}

/** Storage classes whose objects cannot be read before they are restored. Glacier Instant Retrieval is none of them. */
const COLD: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE']);

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * Reads the answer to ListObjectsV2. A parser for XML at large takes ten times as long, and listing is what a search of
 * a bucket consists of. The document is made by machines, in a form that the S3 API reference fixes; what does not agree
 * with itself is refused. @throws AppError `recordings.unavailable` for what is no such answer, or not all of it
 */
export function readListPage(xml: string): ListPage {
  if (!/<ListBucketResult[\s>]/.test(xml) || !xml.trimEnd().endsWith('</ListBucketResult>')) {
    throw unusable('it is no listing, or not all of one');
  }
  const decode = /<EncodingType>url<\/EncodingType>/.test(xml) ? decodeUrl : (text: string): string => text;
  const objects: ListedObject[] = [];
  const directories: string[] = [];
  let rest = '';
  let end = 0;
  const opening = /<(Contents|CommonPrefixes)>/g;
  for (let match = opening.exec(xml); match !== null; match = opening.exec(xml)) {
    const [tag, name] = match;
    // Looked for once: an expression that looks for what is not there at every entry would take hours of a page.
    const close = xml.indexOf(`</${name}>`, opening.lastIndex);
    if (close === -1) throw unusable('an entry does not end');
    const entry = xml.slice(opening.lastIndex, close);
    rest += xml.slice(end, match.index);
    end = close + tag.length + 1;
    opening.lastIndex = end;
    if (name === 'Contents') objects.push(objectOf(entry, decode));
    else directories.push(decode(textOf(entry, 'Prefix') ?? ''));
  }
  rest += xml.slice(end);
  const count = textOf(rest, 'KeyCount');
  if (count !== null && Number(count) !== objects.length + directories.length) {
    throw unusable(
      `it says that it has ${count} entries, and ${objects.length + directories.length} were read`,
    );
  }
  return { objects, directories, token: tokenOf(rest) };
}

/** Null at the end. A listing that goes on and does not say how must not pass for a whole one. */
function tokenOf(xml: string): string | null {
  if (textOf(xml, 'IsTruncated') !== 'true') return null;
  const token = textOf(xml, 'NextContinuationToken');
  if (token === null) throw unusable('it goes on and does not say where');
  return token;
}

function objectOf(entry: string, decode: (text: string) => string): ListedObject {
  const key = textOf(entry, 'Key');
  const sizeBytes = Number(textOf(entry, 'Size') ?? Number.NaN);
  if (key === null || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw unusable('an object has no key or no size');
  }
  const cold = COLD.has(textOf(entry, 'StorageClass') ?? '');
  return { key: decode(key), sizeBytes, archived: cold && !isRestored(entry) };
}

/** A restored copy is there until it expires; while it is being made there is none. */
function isRestored(entry: string): boolean {
  const status = textOf(entry, 'RestoreStatus');
  if (status === null) return false;
  return textOf(status, 'IsRestoreInProgress') !== 'true' && textOf(status, 'RestoreExpiryDate') !== null;
}

/** What stands between the first tags of this name; null where there are none. */
function textOf(xml: string, name: string): string | null {
  const begin = xml.indexOf(`<${name}>`);
  if (begin === -1) return null;
  const from = begin + name.length + 2;
  const end = xml.indexOf(`</${name}>`, from);
  if (end === -1) return null;
  const text = xml.slice(from, end);
  return text.includes('&') ? text.replaceAll(/&(#x?[0-9A-Fa-f]+|[a-z]+);/g, entity) : text;
}

function entity(whole: string, name: string): string {
  if (!name.startsWith('#')) return ENTITIES[name] ?? whole;
  const code = name.startsWith('#x') ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
  return code <= 0x10_ffff ? String.fromCodePoint(code) : whole;
}

/** `encoding-type=url`, without which a key with a control character makes a page that is no XML. */
function decodeUrl(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw unusable('a key is not encoded as was asked for');
  }
}

function unusable(why: string): AppError {
  const message = `the bucket's listing cannot be used: ${why}`;
  return new AppError('recordings.unavailable', message, { retriable: true });
}

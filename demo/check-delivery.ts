import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ReadMail } from './person.ts';
import type { Calls } from './recordings.ts';
import { readZip } from './zip-reader.ts';

const MANIFEST = 'manifesto.csv';
const WAV_HEADER_BYTES = 44;
const FETCH_TIMEOUT_MS = 10_000;

export interface Delivery {
  readonly zipUrl: string;
  readonly zipBytes: number;
  readonly recordings: number;
  /** Links of the mail that play one recording each. */
  readonly playable: readonly string[];
}

/** The links of a result mail: the ZIP, the page of all, and one for each recording that it lists. */
export function linksOf(mail: ReadMail): {
  zip: string | null;
  page: string | null;
  playable: readonly string[];
} {
  const ending = (type: RegExp): string[] =>
    mail.links.filter((link) => type.test(new URL(link).pathname.toLowerCase()));
  return {
    zip: ending(/\.zip$/)[0] ?? null,
    page: ending(/\.html$/)[0] ?? null,
    playable: [...new Set(ending(/\.(wav|mp3|gsm)$/))],
  };
}

/**
 * Downloads everything a result mail links to and compares it with the files on disk, byte for byte: the ZIP holds
 * every call that was asked for and nothing else, and each link plays one of them. @throws Error saying what differs
 */
export async function checkDelivery(mail: ReadMail, calls: Calls): Promise<Delivery> {
  const { zip: zipUrl, playable } = linksOf(mail);
  if (zipUrl === null) throw new Error('the result mail links to no ZIP');
  const zip = await download(zipUrl, 'application/zip');
  const entries = readZip(zip);
  const manifest = entries.find((entry) => entry.name === MANIFEST)?.content.toString();
  if (manifest === undefined) throw new Error(`the ZIP has no ${MANIFEST}`);
  for (const file of calls.empty) {
    if (!manifest.includes(basename(file)))
      throw new Error(`${MANIFEST} does not name the empty ${basename(file)}`);
  }
  const recordings = entries.filter((entry) => entry.name !== MANIFEST).map((entry) => entry.content);
  await compare(recordings, calls, 'the ZIP');

  const played = await Promise.all(playable.map((link) => download(link, 'audio/')));
  await compare(played, calls, 'the links of the mail');
  await checkSeeking(playable);
  return { zipUrl, zipBytes: zip.length, recordings: recordings.length, playable };
}

async function download(url: string, type: string): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  const content = Buffer.from(await response.arrayBuffer());
  const actual = response.headers.get('content-type') ?? '';
  if (response.status !== 200) throw new Error(`HTTP ${response.status} for ${url}`);
  if (!actual.startsWith(type)) throw new Error(`${actual} where ${type} is expected: ${url}`);
  return content;
}

/** Every whole call once, the one that goes on as far as it had come, nothing else. */
async function compare(contents: readonly Buffer[], calls: Calls, what: string): Promise<void> {
  const left = new Map(contents.map((content) => [digest(content), content]));
  for (const file of calls.whole) {
    if (!left.delete(digest(await readFile(file))))
      throw new Error(`${what}: ${basename(file)} is missing or differs`);
  }
  const expected = calls.growing === null ? 0 : 1;
  if (left.size > expected) throw new Error(`${what}: ${left.size - expected} recordings too many`);
  if (calls.growing === null) return;
  const [growing] = left.values();
  if (growing === undefined) throw new Error(`${what}: the call that goes on is missing`);
  const sound = growing.subarray(WAV_HEADER_BYTES);
  const onDisk = (await readFile(calls.growing)).subarray(WAV_HEADER_BYTES);
  if (!onDisk.subarray(0, sound.length).equals(sound))
    throw new Error(`${what}: the call that goes on differs`);
}

/** A player that seeks asks for a range (RFC 9110, section 14). */
async function checkSeeking([link]: readonly string[]): Promise<void> {
  if (link === undefined) return;
  const headers = { range: 'bytes=8-11' };
  const response = await fetch(link, { headers, signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (response.status !== 206 || (await response.text()) !== 'WAVE') {
    throw new Error(`no range of a recording is served (HTTP ${response.status})`);
  }
}

function digest(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

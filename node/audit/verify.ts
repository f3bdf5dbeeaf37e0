import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../platform/durable.ts';
import { hashOf, readEntry } from './chain.ts';
import type { AuditEntry, AuditProblem, AuditVerdict } from './event.ts';
import { GAP_EVENT } from './begin.ts';
import { type Line, linesOf, monthFiles } from './files.ts';
import type { Head } from './head.ts';

/** Problems that are told one by one. */
const MAX_TOLD = 50;
/** Looks at a log that is written to all the time. */
const MAX_LOOKS = 5;
const CHANGED =
  'does not follow the line before it: one was changed, removed, added or moved here, or this one was changed';

/** What the process that writes the log knows of it. */
export interface Writing {
  /** The newest entry. */
  readonly head: Head;
  readonly isResting: boolean;
  /** Resolves when nothing is being written. */
  rest(): Promise<void>;
}

/** Follows the chain of a log, from a month on, to the entry that this process wrote last. */
export async function verifyLog(
  directory: string,
  writer: Writing,
  fromMonth: string | null,
  signal?: AbortSignal,
): Promise<AuditVerdict> {
  const listed = await monthFiles(directory);
  // Read after the listing: what the node writes meanwhile is looked at next time.
  const expected = writer.head;
  const chain = new Follower(fromMonth !== null);
  const wanted = listed.filter((file) => fromMonth === null || file >= `${fromMonth}.`);
  for (const file of wanted) {
    if (expected.file === null || file > expected.file) {
      chain.tell(file, null, 'is a file that this node has not written');
      continue;
    }
    chain.enter(file);
    const end = file === expected.file ? expected.end : Infinity;
    for await (const line of linesOf(directory, file, 0, end)) {
      signal?.throwIfAborted();
      chain.follow(line);
    }
  }
  if (expected.file !== null && chain.last !== expected.sha256) {
    chain.tell(expected.file, null, `does not end with the last entry that was written (${expected.sha256})`);
  }
  const { file } = writer.head;
  if (file !== null && (await hasForeignTail(directory, writer))) {
    chain.tell(file, null, 'goes on after the last entry that was written');
  }
  return chain.verdict(wanted.length);
}

/** Whether something lies behind the last entry. What the node itself is writing just now does not count. */
async function hasForeignTail(directory: string, writer: Writing): Promise<boolean> {
  for (let attempt = 0; attempt < MAX_LOOKS; attempt += 1) {
    await writer.rest();
    const { head } = writer;
    if (head.file === null) return false;
    let size: number;
    try {
      ({ size } = await stat(join(directory, head.file)));
    } catch (error) {
      if (isMissing(error)) return false; // which is told already
      throw error;
    }
    if (writer.head === head && writer.isResting) return size > head.end;
  }
  return false;
}

class Follower {
  last: string | null = null;
  readonly #problems: AuditProblem[] = [];
  #found = 0;
  #entries = 0;
  #unchained = 0;
  #isChained = false;
  #file = '';
  #line = 0;
  /** The line before the first one is not looked at. */
  #isOpen: boolean;

  constructor(isOpen: boolean) {
    this.#isOpen = isOpen;
  }

  enter(file: string): void {
    this.#file = file;
    this.#line = 0;
  }

  follow({ bytes }: Line): void {
    this.#line += 1;
    this.#entries += 1;
    const entry = readEntry(bytes.toString('utf8'));
    if (entry === null) this.#here('is no entry');
    else this.#judge(entry);
    this.last = hashOf(bytes);
    this.#isOpen = false;
  }

  #judge(entry: AuditEntry): void {
    if (entry.prev === undefined) {
      this.#unchained += 1;
      if (this.#isChained) this.#here('is not chained, and lines before it are: it was added or changed');
      return;
    }
    this.#isChained = true;
    if (this.#isOpen || entry.prev === this.last) {
      if (entry.event === GAP_EVENT) this.#here(gapText(entry));
      return;
    }
    this.#here(this.#entries === 1 ? 'is not the first line of the log: those before it are gone' : CHANGED);
  }

  #here(what: string): void {
    this.tell(this.#file, this.#line, what);
  }

  tell(file: string, line: number | null, what: string): void {
    this.#found += 1;
    if (this.#problems.length < MAX_TOLD) this.#problems.push({ file, line, what });
  }

  verdict(files: number): AuditVerdict {
    const { last } = this;
    return {
      ...{ files, entries: this.#entries, unchained: this.#unchained, last },
      ...{ problems: this.#problems, found: this.#found },
    };
  }
}

function gapText({ at, reason, expected }: AuditEntry): string {
  if (reason !== 'entries-missing')
    return `says that head.json was gone or broken when the node started at ${at}`;
  const { file, sha256 } = (expected ?? {}) as Partial<Head>;
  return `says that the entry ${sha256} of ${file}, then the last one, was gone or changed when the node started at ${at}`;
}

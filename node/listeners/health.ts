import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import type { IngestStatus } from '../ingest/ingest.ts';
import type { NodeStatus } from './control-contract.ts';

/** A job takes some KB; with less left on its disk the queue is as good as closed. */
const MIN_FREE_BYTES = 1024 * 1024;

export interface Readiness {
  readonly ready: boolean;
  /** For anybody on the network: says no more than whether. */
  readonly sentence: string;
}

/** Whether the node can take requests now: its queue can be written and, where it reads the mailbox, it is connected. */
export async function readinessOf(queueDir: string, ingest: IngestStatus | null): Promise<Readiness> {
  const connected = ingest === null || ingest.state === 'watching' || ingest.state === 'working';
  const ready = connected && (await canWrite(queueDir));
  return { ready, sentence: ready ? 'ready' : 'not ready' };
}

async function canWrite(directory: string): Promise<boolean> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
    const { bavail, bsize, files, ffree } = await statfs(directory);
    // File systems that make inodes as they need them tell of none.
    return bavail * bsize >= MIN_FREE_BYTES && (files === 0 || ffree > 0);
  } catch {
    return false; // Gone, read-only or failing: all the same to who asks.
  }
}

/** The watch over the mailbox as an operator sees it. */
export function ingestView(status: IngestStatus): NodeStatus['ingest'] {
  const { state, lastMailAt } = status;
  return {
    state,
    paused: state === 'paused',
    lastMailAt: lastMailAt?.toString() ?? null,
    lastError: errorText(status),
  };
}

function errorText({ lastError, connectedSince }: IngestStatus): string | null {
  if (lastError === null) return null;
  const { code, message, at } = lastError;
  const isOver = connectedSince !== null && Temporal.Instant.compare(connectedSince, at) >= 0;
  const over = isOver ? `; over since ${seconds(connectedSince)}` : '';
  return `${code}: ${message} (${seconds(at)}${over})`;
}

function seconds(at: Temporal.Instant): string {
  return at.toString({ smallestUnit: 'second' });
}

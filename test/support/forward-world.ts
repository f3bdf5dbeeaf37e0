import type { AccessRecord } from '../../node/access/access-store.ts';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { AuditEvent } from '../../node/audit.ts';
import type { Ending, Waiting } from '../../node/commands/command.ts';
import type { Credentials } from '../../node/peer/credentials.ts';
import { createDropDocuments, type DropDocuments } from '../../node/forward/drop-document.ts';
import { createForwarder, type Forwarder } from '../../node/forward/forwarder.ts';
import type { Clock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { createContextFactory } from '../../node/queue/context.ts';
import { openSpool, type Spool } from '../../node/queue/spool.ts';
import type { Job } from '../../protocol/job.ts';
import type { RpcHandlers } from '../../protocol/methods.ts';
import { type FixedClock, fixedClock } from './fixed-clock.ts';
import { newJob } from './jobs.ts';
import { createMemoryDropbox, type MemoryDropbox } from './memory-dropbox.ts';
import { createMemoryPeer, type MemoryPeer } from './memory-peer.ts';
import { temporaryDirectory } from './process.ts';
import { createMemoryAudit } from './memory-audit.ts';

/** Pauses between tries are over at once; longer sleeps end when the clock is moved. */
const LONGEST_PAUSE_MS = 400;

/** A clock that moves when told, and by itself over the pauses between tries. */
export function pausingClock(): FixedClock {
  const clock = fixedClock();
  const sleep: Clock['sleep'] = async (ms, signal) => {
    const over = clock.sleep(ms, signal);
    if (ms <= LONGEST_PAUSE_MS) clock.advance({ milliseconds: Math.ceil(ms) });
    await over;
  };
  return { ...clock, sleep };
}

/** The two nodes of a pair as each knows the other. */
export function pairedCredentials(): { readonly audio: Credentials; readonly audio2: Credentials } {
  const [audio, audio2] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const of = (own: KeyObject, peerId: string, key: KeyObject): Credentials => ({
    own: () => ({ certificate: '', certificateKey: '', tokenKey: { kid: 'k1', privateKey: own } }),
    peer: () => ({
      ...{ peerId, certificates: [], tokenKeys: new Map([['k1', key]]) },
      ...{ sshHostKeys: [], sshUser: 'parelha', queueDir: '/srv/queue' },
    }),
    onChange: () => undefined,
  });
  return {
    audio: of(audio.privateKey, 'audio2', audio2.publicKey),
    audio2: of(audio2.privateKey, 'audio', audio.publicKey),
  };
}

/** The documents of both, each to drop at the other and to prove what the other dropped. */
export function pairedDocuments(clock: Clock): {
  readonly audio: DropDocuments;
  readonly audio2: DropDocuments;
} {
  const credentials = pairedCredentials();
  const common = { clock, timeZone: 'America/Sao_Paulo' };
  return {
    audio: createDropDocuments({
      ...common,
      nodeId: 'audio',
      peerId: 'audio2',
      credentials: credentials.audio,
    }),
    audio2: createDropDocuments({
      ...common,
      nodeId: 'audio2',
      peerId: 'audio',
      credentials: credentials.audio2,
    }),
  };
}

/** A spool in a directory of its own. */
export function openTestSpool(directory: string, nodeId: string, clock: Clock): Promise<Spool> {
  return openSpool({
    directory: join(directory, nodeId),
    sealKey: Buffer.alloc(32, 7),
    ...{ nodeId, clock, log: silentLog },
    acceptedEarlier: () => null,
    setAside: async () => undefined,
  });
}

/** Node `audio2`, which forwards to `audio`. */
export interface ForwardWorld extends AsyncDisposable {
  readonly clock: FixedClock;
  readonly spool: Spool;
  /** What `audio` does; empty: it does not run. */
  readonly handlers: { current: Partial<RpcHandlers> | null };
  readonly peer: MemoryPeer;
  readonly dropbox: MemoryDropbox;
  readonly forwarder: Forwarder;
  readonly audit: AuditEvent[];
  /** Jobs whose requesters were told of a delay, each time it was asked for. */
  readonly delayed: string[];
  /** Takes a job of the lane `forward` in. */
  accept(name: string): Promise<Job>;
  /** One attempt, as the worker makes it. */
  attempt(id: string): Promise<Ending | Waiting>;
  /** Notes that the confirmation of a job is out. */
  confirm(id: string): Promise<Job>;
}

export interface ForwardWorldOptions {
  /** False for PEER_RPC=off. */
  readonly rpc?: boolean;
  /** What this node knows of whoever asks. */
  readonly standing?: readonly AccessRecord[];
}

export async function createForwardWorld(options: ForwardWorldOptions = {}): Promise<ForwardWorld> {
  const { rpc = true, standing = [] } = options;
  const directory = await temporaryDirectory();
  const clock = pausingClock();
  const spool = await openTestSpool(directory.path, 'audio2', clock);
  const handlers: ForwardWorld['handlers'] = { current: {} };
  const peer = createMemoryPeer({ id: 'audio', caller: 'audio2', handlers: () => handlers.current });
  // The peer's word on the last failure is in the time of the test.
  const contact = (): ReturnType<MemoryPeer['contact']> => {
    const { lastError, ...rest } = peer.contact();
    return { ...rest, lastError: lastError === null ? null : { ...lastError, at: failedAt } };
  };
  let failedAt = clock.now();
  const call: MemoryPeer['call'] = async (...parameters) => {
    try {
      return await peer.call(...parameters);
    } catch (error) {
      failedAt = clock.now();
      throw error;
    }
  };
  const dropbox = createMemoryDropbox();
  const audit: AuditEvent[] = [];
  const delayed: string[] = [];
  const forwarder = createForwarder({
    peerId: 'audio',
    peer: rpc ? { id: 'audio', call, contact, close: peer.close } : null,
    dropbox,
    document: pairedDocuments(clock).audio2.print,
    standingOf: () => standing,
    audit: createMemoryAudit(audit),
    ...{ spool, clock, log: silentLog, random: () => 0.5 },
  });
  const contextOf = createContextFactory(spool, clock, silentLog, () => undefined);
  return {
    ...{ clock, spool, handlers, peer, dropbox, forwarder, audit, delayed },
    accept: async (name) => {
      const { job } = await spool.accept(newJob(name, { lane: 'forward' }));
      if (job === null) throw new Error('a new job is there');
      return job;
    },
    attempt: async (id) => {
      const job = await spool.claim(id);
      const { failures, interruptions, lastError } = job;
      const put = { failures, interruptions: interruptions + 1, notBefore: null, lastError };
      try {
        const ending = await forwarder.work(job, contextOf(job, new AbortController().signal), async () => {
          delayed.push(id);
        });
        if (ending.kind === 'waiting') {
          await spool.defer(id, { ...put, notBefore: ending.notBefore.toString() });
        }
        return ending;
      } catch (error) {
        await spool.defer(id, put);
        throw error;
      }
    },
    confirm: async (id) => {
      const at = clock.now().toString();
      return spool.recordStep(id, 'mail:confirmation', { intentAt: at, doneAt: at });
    },
    [Symbol.asyncDispose]: async () => {
      await forwarder.close();
      await peer.close();
      spool.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

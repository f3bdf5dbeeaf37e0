import { join } from 'node:path';
import { createAccess } from '../../node/access/access.ts';
import { type Lockout, openLockout } from '../../node/access/lockout.ts';
import { createSenderProof } from '../../node/access/open-sender-proof.ts';
import { createPermission } from '../../node/commands/permission.ts';
import { openQuarantine } from '../../node/access/quarantine.ts';
import type { SenderProof } from '../../node/access/sender-proof.ts';
import { createTokenStore, type TokenStore } from '../../node/access/token-store.ts';
import type { AccessStore } from '../../node/access/access-store.ts';
import type { ChangeablePeople } from '../../node/access/people.ts';
import type { AuditEvent } from '../../node/audit.ts';
import { createAcceptance } from '../../node/ingest/acceptance.ts';
import type { Grammar } from '../../node/ingest/arrival.ts';
import { type DoubtStore, openDoubtStore } from '../../node/ingest/doubt-store.ts';
import { createDoubts, type Doubts } from '../../node/ingest/doubts.ts';
import { createQuarantineDesk, type QuarantineDesk } from '../../node/ingest/quarantined.ts';
import { createIngest, type Ingest, type IngestOptions } from '../../node/ingest/ingest.ts';
import { createKnown, type Known } from '../../node/ingest/known.ts';
import { type Ledger, openLedger } from '../../node/ingest/ledger.ts';
import { openReplica, type Replica } from '../../node/ingest/replica.ts';
import type { Mailbox } from '../../node/mail/mailbox.ts';
import type { Clock } from '../../node/platform/clock.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { createLog } from '../../node/platform/log.ts';
import { createMemoryAcceptor, type MemoryAcceptor } from './memory-acceptor.ts';
import { createMemoryAccessStore, memoryPeople, ROLE_COMMANDS } from './memory-access-store.ts';
import { createMemorySpace, type MemorySpace } from './memory-space.ts';
import { temporaryDirectory } from './process.ts';
import { createMemoryAudit } from './memory-audit.ts';

export const ANA = 'ana@example.test';
export const TOKEN = 'A1B2C3D4';
export const MAX_BYTES = 20_000;

/** A subject that begins with RAMAIS is one; all else is at fault. */
export const grammar: Grammar = {
  parse: (subject) =>
    subject.startsWith('RAMAIS=')
      ? {
          ok: true,
          command: { keyword: 'RAMAIS' },
          params: { extensions: subject.slice(7).split(',') },
          lane: 'recordings',
          source: 'audio',
        }
      : {
          ok: false,
          command: null,
          faults: [{ field: 'SUBJECT', code: 'no-command', values: { known: 'RAMAIS' } }],
          corrected: 'RAMAIS=1121',
        },
};

export interface World extends AsyncDisposable {
  readonly ingest: Ingest;
  readonly ledger: Ledger;
  /** The copy of the peer's ledger. */
  readonly replica: Replica;
  readonly known: Known;
  readonly doubtStore: DoubtStore;
  readonly doubts: Doubts;
  readonly acceptor: MemoryAcceptor;
  readonly audit: readonly AuditEvent[];
  readonly quarantine: QuarantineDesk;
  readonly lockout: Lockout;
  readonly tokens: TokenStore;
  readonly people: ChangeablePeople;
  readonly setAside: Map<string, { readonly content: Buffer; readonly reason: string }>;
  readonly lines: readonly string[];
  /** The commands of the jobs accepted, in order. */
  commands(): readonly string[];
  /** Begins the loop; `stop` of the world ends it. */
  start(): void;
  stop(): Promise<void>;
  /** Ends the loop and opens all anew from what is on disk, as a restart does. */
  restart(): Promise<World>;
}

export interface WorldOptions {
  readonly mailbox: Mailbox;
  readonly clock?: Clock;
  readonly directory?: string;
  readonly acceptor?: MemoryAcceptor;
  readonly grammar?: Grammar;
  readonly requireToken?: boolean;
  /** In place of taking every From line on trust. */
  readonly proof?: SenderProof;
  readonly accessStore?: AccessStore;
  /** In place of as much room as anybody could want. */
  readonly space?: MemorySpace;
  readonly change?: Partial<IngestOptions>;
}

/** An ingest with all it needs, on a mailbox of the test's choice. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const own = options.directory === undefined ? await temporaryDirectory() : null;
  const directory = options.directory ?? own?.path ?? '';
  const { clock = systemClock, acceptor = createMemoryAcceptor() } = options;
  const lines: string[] = [];
  const log = createLog({ level: 'debug', style: 'terminal', write: (line) => lines.push(line) });
  const ledger = await openLedger({ path: join(directory, 'ledger.jsonl'), clock, log });
  const replica = await openReplica({ path: join(directory, 'ledger-peer.jsonl'), clock, log });
  const known = createKnown(ledger, replica);
  const events: AuditEvent[] = [];
  const audit = createMemoryAudit(events);
  const doubtStore = await openDoubtStore({ directory: join(directory, 'doubts'), clock, audit, log });
  const doubts = createDoubts({ store: doubtStore, acceptor, ledger, known, audit });
  const setAside = new Map<string, { content: Buffer; reason: string }>();
  const { accessStore = createMemoryAccessStore() } = options;
  const people = memoryPeople([ANA, '@staff.example.test'], 'admin@example.test', accessStore);
  const tokens = createTokenStore(accessStore, clock);
  const lockout = await openLockout({ path: join(directory, 'lockout.json'), clock, log });
  const quarantine = await openQuarantine({ directory: join(directory, 'quarantine'), clock, audit, log });
  const access = createAccess({
    people,
    tokens: {
      accepts: async (candidates) => candidates.includes(TOKEN),
      listed: async () => new Set([TOKEN]),
    },
    stored: tokens,
    lockout,
    requireToken: options.requireToken ?? false,
  });
  const acceptance = createAcceptance({
    people,
    permission: createPermission(people, ROLE_COMMANDS),
    proof: options.proof ?? createSenderProof({ kind: 'off' }, { clock }),
    access,
    quarantine,
    grammar: options.grammar ?? grammar,
    acceptor,
    ledger,
    known,
    doubts: doubtStore,
    audit,
    setAside: {
      file: async (path) => path,
      bytes: async (name, content, reason) => {
        setAside.set(name, { content: Buffer.from(content), reason });
        return `/set-aside/${name}`;
      },
    },
    space: options.space ?? createMemorySpace(),
    clock,
    log,
    maxBytes: MAX_BYTES,
  });
  const ingest = createIngest({
    mailbox: options.mailbox,
    ledger,
    known,
    acceptance,
    clock,
    log,
    random: () => 0,
    maxBytes: MAX_BYTES,
    ...options.change,
  });
  let running: Promise<void> = Promise.resolve();
  const stop = async (): Promise<void> => {
    await ingest.stop();
    await running;
  };
  return {
    ingest,
    ledger,
    replica,
    known,
    doubtStore,
    doubts,
    acceptor,
    audit: events,
    quarantine: createQuarantineDesk({ quarantine, acceptance, access, audit }),
    lockout,
    tokens,
    people,
    setAside,
    lines,
    commands: () => acceptor.jobs.map((job) => job.request.command),
    start: () => {
      running = ingest.run(new AbortController().signal);
    },
    stop,
    restart: async () => {
      await stop();
      await ledger.close();
      await replica.close();
      return createWorld({ ...options, clock, directory, acceptor, accessStore });
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await ledger.close();
      await replica.close();
      await own?.[Symbol.asyncDispose]();
    },
  };
}

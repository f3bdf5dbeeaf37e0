import { join } from 'node:path';
import {
  createLeadership,
  type HandoverLedger,
  type Leadership,
} from '../../../node/leadership/leadership.ts';
import type { Timing } from '../../../node/leadership/ports.ts';
import { openRoleStore } from '../../../node/leadership/role-store.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { silentLog } from '../../../node/platform/log.ts';
import type { PeerStatus, Watermark } from '../../../protocol/messages.ts';
import { createMemoryPeer, type MemoryPeer } from '../../support/memory-peer.ts';

/** Asks often, and is patient only where a test does not wait for the bound. */
const FAST: Timing = {
  masterPollMs: 50,
  slavePollMs: 20,
  unsurePollMs: 5,
  askMs: 500,
  startAskMs: 500,
  closeMs: 100,
  tailMs: 1000,
  handoffMs: 2000,
  prepareMs: 500,
  operatorMs: 3000,
};

/** A node's role with its surroundings in memory, and its record on disk. */
export interface WorldNode {
  readonly id: string;
  readonly leadership: Leadership;
  /** How it reaches the other one. */
  readonly peer: MemoryPeer;
  /** Held back until it resolves, where a mail in hand is to take its time. */
  mailInHand: Promise<void>;
  open: boolean;
  /** What was done to the ledger, and how often. */
  readonly ledger: string[];
  flushing: () => Promise<void>;
  readonly alerts: string[];
  readonly audit: { readonly event: string; readonly [detail: string]: unknown }[];
  stop(): Promise<void>;
}

/** Two nodes joined in memory; `log` tells who opened and closed the inbox, in order. */
export class World implements AsyncDisposable {
  readonly log: string[] = [];
  private readonly nodes = new Map<string, WorldNode>();
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  get(id: string): WorldNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`${id} does not run`);
    return node;
  }

  openInboxes(): string[] {
    return [...this.nodes.values()].filter(({ open }) => open).map(({ id }) => id);
  }

  /** Starts a node of the pair `audio` and `audio2` by what is on its disk. */
  async start(
    id: 'audio' | 'audio2',
    mode: 'master' | 'slave',
    timing: Partial<Timing> = {},
  ): Promise<WorldNode> {
    const other = id === 'audio' ? 'audio2' : 'audio';
    const peer = createMemoryPeer({
      id: other,
      caller: id,
      handlers: () => {
        const node = this.nodes.get(other);
        if (node === undefined) return null;
        return { ...node.leadership.handlers, 'node.status': async () => statusOf(node) };
      },
    });
    const store = await openRoleStore(join(this.directory, `${id}.json`), id);
    const node: WorldNode = {
      ...{ id, peer, mailInHand: Promise.resolve(), open: false, ledger: [], alerts: [], audit: [] },
      flushing: async () => undefined,
      leadership: createLeadership({
        self: { nodeId: id, peerId: other, mode },
        ...{ store, peer, clock: systemClock, log: silentLog, timing: { ...FAST, ...timing } },
        inbox: {
          open: () => this.opened(node, true),
          close: async () => {
            await node.mailInHand;
            this.opened(node, false);
          },
        },
        ledger: this.ledgerOf(() => node),
        record: async (event) => void node.audit.push(event),
        alert: async (kind) => void node.alerts.push(kind),
      }),
      stop: async () => {
        this.nodes.delete(id);
        await node.leadership.stop();
      },
    };
    this.nodes.set(id, node);
    await node.leadership.start();
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes.values()].map((node) => node.stop()));
  }

  private opened(node: WorldNode, open: boolean): void {
    node.open = open;
    this.log.push(`${node.id} ${open ? 'opens' : 'closes'}`);
    if (this.openInboxes().length > 1) this.log.push('TWO');
  }

  private ledgerOf(node: () => WorldNode): HandoverLedger {
    const note = (what: string): void => void node().ledger.push(what);
    return {
      flush: async () => {
        await node().flushing();
        note('flush');
      },
      watermark: (): Watermark => ({ uidValidity: '7', uid: 100 }),
      adopt: async ({ uid }) => note(`adopt ${uid}`),
      requireRescan: async () => note('rescan'),
    };
  }
}

function statusOf({ leadership }: WorldNode): PeerStatus {
  const { nodeId, protocol, role, term, since } = leadership.view();
  return {
    ...{ nodeId, protocol, role, term, since, version: '0.1.0', uptimeSeconds: 1, mailbox: null },
    now: systemClock.now().toString({ smallestUnit: 'millisecond' }),
    queue: { paused: false, lanes: [], completed: 0, failed: 0 },
    ...{ sources: [], warnings: [] },
  };
}

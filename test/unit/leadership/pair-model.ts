import type { LeadershipView } from '../../../protocol/messages.ts';
import type { Answer, Effect, Event, State } from '../../../node/leadership/events.ts';
import type { RoleRecord } from '../../../node/leadership/record.ts';
import { initialState, reduce, type Reduced, roleOf, viewOf } from '../../../node/leadership/state.ts';

/** The reducer, or a variant of it that is broken on purpose. */
export type Reducer = (state: State, event: Event, at: string) => Reduced;

export interface PairOptions {
  readonly modes: readonly ['master' | 'slave', 'master' | 'slave'];
  /** Whether operators may use --force in this schedule. */
  readonly force: boolean;
  /** How many times more often things go on than go wrong. */
  readonly calm: number;
  readonly reduce?: Reducer;
}

const IDS = ['audio', 'audio2'] as const;
const AT = '2026-03-02T12:00:00Z';
/** Messages under way; more add no new orders. */
const MAX_MESSAGES = 8;
/** A slave asks every two seconds, so this is what happens within 10 s of contact. */
const ROUNDS_TO_SETTLE = 5;
const MAX_STEPS_A_ROUND = 200;

interface Call {
  readonly id: number;
  readonly kind: 'get' | 'take' | 'first' | 'offer';
  readonly handoffId: string;
}

type Message =
  | { readonly to: number; readonly call: Call; readonly term: number }
  | {
      readonly to: number;
      readonly call: Call;
      readonly view: LeadershipView;
      readonly answer: Answer | null;
    };

type Step = Extract<Effect, { do: 'persist' | 'send-tail' | 'adopt-watermark' | 'require-rescan' }>;

interface ModelNode {
  readonly index: number;
  readonly mode: 'master' | 'slave';
  disk: RoleRecord | null;
  /** Null while it does not run. */
  state: State | null;
  steps: Step[];
  /** Calls of its own that have no answer yet, and calls of its peer. */
  calls: Call[];
  asked: Call[];
  /** As `inbox-switch.ts` does it: what is to be done with the inbox, in order. */
  inbox: { op: 'open' | 'close'; ticket: number | null; told: boolean }[];
  wanted: boolean;
  open: boolean;
}

/** What must never happen; its message is what the schedule has shown. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/**
 * Two nodes, a network that delays, reorders, loses and doubles, disks that fail, and operators who change their
 * minds: `step(n)` does one of the things that can happen now. Throws a {@link Violation} as soon as one is there.
 */
export class Pair {
  private readonly nodes: ModelNode[];
  private readonly reduce: Reducer;
  private readonly force: boolean;
  private readonly calmness: number;
  private network: Message[] = [];
  private masters = new Map<number, number>();
  private forced = false;
  /** Whether the mastership was ever somebody's, or on its way: then it must end up somewhere. */
  private everMaster = false;
  private lastId = 0;
  /** For a person who looks at a counterexample. */
  readonly trace: string[] = [];

  constructor(options: PairOptions) {
    this.reduce = options.reduce ?? reduce;
    this.force = options.force;
    this.calmness = options.calm;
    this.nodes = IDS.map((_, index) => ({
      index,
      mode: options.modes[index] ?? 'slave',
      disk: null,
      state: null,
      ...{ steps: [], calls: [], asked: [], inbox: [] },
      ...{ wanted: false, open: false },
    }));
  }

  step(choice: number): void {
    const actions = this.actions(choice);
    const action = actions[choice % actions.length];
    if (action === undefined) return;
    this.trace.push(action[0]);
    action[1]();
    this.check();
  }

  /** Links are up, both run, nothing fails any more: one master, and its inbox open. */
  settle(): void {
    for (const node of this.nodes) if (node.state === null) this.start(node);
    for (let round = 0; round < ROUNDS_TO_SETTLE; round += 1) {
      this.trace.push(`round ${round}`);
      this.calm();
      for (const node of this.nodes) this.carryOut(node, { do: 'ask-peer' });
      this.calm();
    }
    const masters = this.nodes.filter(
      ({ state, open }) => state !== null && roleOf(state) === 'master' && open,
    );
    const needed = this.everMaster || this.nodes.some(({ mode }) => mode === 'master');
    const open = this.nodes.filter((node) => node.open);
    if (masters.length !== (needed ? 1 : 0)) throw new Violation(`${masters.length} masters after contact`);
    if (open.length !== masters.length) throw new Violation(`${open.length} open inboxes after contact`);
  }

  /** The records on disk, and those the nodes go by. */
  records(): (readonly [disk: RoleRecord | null, state: RoleRecord | null])[] {
    return this.nodes.map(({ disk, state }) => [disk, state?.record ?? null]);
  }

  /** All that is under way comes to its end; what was lost is given up by its caller. */
  private calm(): void {
    for (let count = 0; count < MAX_STEPS_A_ROUND; count += 1) {
      const message = this.network.shift();
      const busy = this.nodes.find(({ steps, inbox }) => steps.length > 0 || inbox.length > 0);
      const caller = this.nodes.find(({ index, calls }) => calls.some((call) => this.isLost(index, call)));
      if (message !== undefined) this.deliver(message);
      else if (busy !== undefined && busy.steps.length > 0) this.endStep(busy, 0, 'well');
      else if (busy !== undefined) this.endClose(busy);
      else if (caller !== undefined) {
        const lost = caller.calls.find((call) => this.isLost(caller.index, call));
        if (lost !== undefined) this.timeOut(caller, lost);
      } else return;
      this.check();
    }
    throw new Violation('the pair does not come to rest');
  }

  /** A call that nobody will answer: its message is gone, or whoever got it. */
  private isLost(index: number, call: Call): boolean {
    const peer = this.other(index);
    const waits = peer.asked.some(({ id }) => id === call.id);
    return !waits && !this.network.some((message) => message.call.id === call.id);
  }

  private actions(choice: number): (readonly [string, () => void])[] {
    const actions: (readonly [string, () => void])[] = [];
    const add = (weight: number, name: string, act: () => void): void => {
      for (let count = 0; count < weight; count += 1) actions.push([name, act]);
    };
    for (const message of this.network) {
      const name = `${message.call.kind} ${'term' in message ? 'call' : 'answer'} to ${IDS[message.to]}`;
      add(this.calmness, `deliver ${name}`, () => {
        this.network = this.network.filter((one) => one !== message);
        this.deliver(message);
      });
      add(1, `lose ${name}`, () => (this.network = this.network.filter((one) => one !== message)));
      if (this.network.length < MAX_MESSAGES)
        add(1, `double ${name}`, () => this.network.push({ ...message }));
    }
    for (const node of this.nodes) {
      const name = IDS[node.index] ?? '';
      if (node.state === null) {
        add(this.calmness, `start ${name}`, () => this.start(node));
        continue;
      }
      add(1, `crash ${name}`, () => this.crash(node, choice));
      add(Math.ceil(this.calmness / 2), `${name} asks`, () => this.carryOut(node, { do: 'ask-peer' }));
      for (const [index, step] of node.steps.entries()) {
        add(this.calmness, `${step.do} of ${name} ends well`, () => this.endStep(node, index, 'well'));
        add(1, `${step.do} of ${name} fails`, () => this.endStep(node, index, 'badly'));
        if (step.do === 'persist') {
          add(1, `persist of ${name} fails, and is on disk`, () => this.endStep(node, index, 'unknown'));
        }
      }
      if (node.inbox.length > 0) add(this.calmness, `the inbox of ${name} closes`, () => this.endClose(node));
      const untold = node.inbox.find(({ op, told, ticket }) => op === 'close' && !told && ticket !== null);
      if (untold !== undefined) {
        add(1, `the inbox of ${name} does not close in time`, () => {
          untold.told = true;
          this.happen(node, { type: 'inbox-stuck', ticket: untold.ticket ?? 0, reason: 'a large mail' });
        });
      }
      for (const call of node.calls)
        add(1, `${call.kind} of ${name} times out`, () => this.timeOut(node, call));
      this.addOperator(node, add);
    }
    return actions;
  }

  private addOperator(node: ModelNode, add: (weight: number, name: string, act: () => void) => void): void {
    const name = IDS[node.index];
    const handoffId = `handoff-${this.lastId + 1}`;
    const wish = (event: Event) => (): void => {
      this.lastId += 1;
      this.happen(node, event);
    };
    add(1, `promote ${name} ${handoffId}`, wish({ type: 'promote', handoffId, force: false }));
    add(1, `demote ${name} ${handoffId}`, wish({ type: 'demote', handoffId }));
    if (this.force) add(1, `force ${name} ${handoffId}`, wish({ type: 'promote', handoffId, force: true }));
  }

  private other(index: number): ModelNode {
    const node = this.nodes[1 - index];
    if (node === undefined) throw new Error('a pair has two nodes');
    return node;
  }

  private start(node: ModelNode): void {
    const nodeId = IDS[node.index] ?? '';
    const peerId = IDS[1 - node.index] ?? '';
    this.lastId += 1;
    const self = { nodeId, peerId, askable: true, mode: node.mode };
    this.acknowledge(node.disk);
    node.state = initialState(self, node.disk, `first-${this.lastId}`);
    this.happen(node, { type: 'started' });
  }

  /** All but the disk is lost; what was being written may be there or not. */
  private crash(node: ModelNode, choice: number): void {
    const write = node.steps.find((step) => step.do === 'persist');
    if (write !== undefined && choice % 2 === 0) this.write(node, write.record);
    Object.assign(node, {
      state: null,
      steps: [],
      calls: [],
      asked: [],
      inbox: [],
      wanted: false,
      open: false,
    });
  }

  private write(node: ModelNode, record: RoleRecord): void {
    // A write that failed may have left a later term, which nobody has heard of; one that is known stays.
    if (record.term < (node.state?.record?.term ?? 0)) throw new Violation('the term on disk went back');
    if (record.role === 'master' && record.grant !== null) throw new Violation('a master with a grant');
    node.disk = record;
    if (record.how === 'forced') this.forced = true;
    if (record.role === 'master') this.claim(node, record.term);
  }

  private acknowledge(record: RoleRecord | null): void {
    if (record?.role === 'master' || record?.grant != null) this.everMaster = true;
  }

  private claim(node: ModelNode, term: number): void {
    const holder = this.masters.get(term) ?? node.index;
    if (holder !== node.index) throw new Violation(`two masters of term ${term}`);
    this.masters.set(term, holder);
  }

  private check(): void {
    for (const node of this.nodes) {
      const record = node.state?.record;
      if (record?.role === 'master' && node.open) this.claim(node, record.term);
    }
    if (!this.forced && this.nodes.every(({ open }) => open)) throw new Violation('two open inboxes');
  }

  private happen(node: ModelNode, event: Event): void {
    if (node.state === null) return;
    const { state, effects } = this.reduce(node.state, event, AT);
    node.state = state;
    for (const effect of effects) this.carryOut(node, effect);
  }

  /** What `executor.ts` does, as far as it matters for order. */
  private carryOut(node: ModelNode, effect: Effect): void {
    switch (effect.do) {
      case 'persist':
        if (node.steps.some((step) => step.do === 'persist')) throw new Violation('two writes at once');
        node.steps.push(effect);
        break;
      case 'send-tail':
      case 'adopt-watermark':
      case 'require-rescan':
        node.steps.push(effect);
        break;
      case 'open-inbox':
        node.wanted = true;
        node.inbox.push({ op: 'open', ticket: null, told: true });
        this.openNow(node);
        break;
      case 'close-inbox':
        node.wanted = false;
        node.inbox.push({ op: 'close', ticket: effect.ticket, told: false });
        break;
      case 'ask-peer':
        if (node.calls.some(({ kind }) => kind === 'get')) return;
        this.call(node, 'get', '', 0);
        break;
      case 'call-peer':
        this.call(node, effect.kind, effect.handoffId, effect.term);
        break;
      case 'answer': {
        const waiting = node.asked.filter(({ handoffId }) => handoffId === effect.handoffId);
        node.asked = node.asked.filter((call) => !waiting.includes(call));
        for (const call of waiting) this.reply(node, call, effect.answer);
        break;
      }
      case 'say':
      case 'alert':
        break;
    }
  }

  private call(node: ModelNode, kind: Call['kind'], handoffId: string, term: number): void {
    this.lastId += 1;
    const call = { id: this.lastId, kind, handoffId };
    node.calls.push(call);
    this.network.push({ to: 1 - node.index, call, term });
  }

  private reply(node: ModelNode, call: Call, answer: Answer | null): void {
    if (node.state === null) return;
    this.network.push({ to: 1 - node.index, call, view: viewOf(node.state, AT), answer });
  }

  private deliver(message: Message): void {
    const node = this.other(1 - message.to);
    if (node.state === null) return; // nobody there: the caller gives up in time
    const { call } = message;
    if ('term' in message) {
      if (call.kind === 'get') return this.reply(node, call, null);
      node.asked.push(call);
      const from = IDS[1 - node.index] ?? '';
      const { kind, handoffId } = call;
      return this.happen(node, { type: 'asked', kind, handoffId, from, term: message.term });
    }
    if (!node.calls.some(({ id }) => id === call.id)) return; // given up meanwhile, or heard before
    node.calls = node.calls.filter(({ id }) => id !== call.id);
    this.happen(node, heard(call, message.view, message.answer));
  }

  private timeOut(node: ModelNode, call: Call): void {
    const { handoffId, kind, id } = call;
    node.calls = node.calls.filter((one) => one.id !== id);
    const reason = 'no answer';
    this.happen(
      node,
      kind === 'get' ? { type: 'peer-away', reason } : { type: 'call-lost', handoffId, reason },
    );
  }

  private endStep(node: ModelNode, index: number, how: 'well' | 'badly' | 'unknown'): void {
    const step = node.steps[index];
    if (step === undefined) return;
    node.steps.splice(index, 1);
    const { ticket } = step;
    const reason = 'disk full';
    if (step.do === 'persist') {
      if (how !== 'badly') this.write(node, step.record);
      if (how === 'well') this.acknowledge(step.record);
      return this.happen(
        node,
        how === 'well' ? { type: 'persisted', ticket } : { type: 'persist-failed', ticket, reason },
      );
    }
    if (step.do === 'send-tail') {
      const sent = { type: 'tail-sent', ticket, watermark: { uidValidity: '7', uid: 100 } } as const;
      return this.happen(node, how === 'well' ? sent : { type: 'tail-failed', ticket, reason });
    }
    this.happen(
      node,
      how === 'well' ? { type: 'prepared', ticket } : { type: 'prepare-failed', ticket, reason },
    );
  }

  private endClose(node: ModelNode): void {
    const head = node.inbox.shift();
    if (head === undefined) return;
    node.open = false;
    this.openNow(node);
    if (!head.told && head.ticket !== null) this.happen(node, { type: 'inbox-closed', ticket: head.ticket });
  }

  /** Opens what is next in turn, as long as nothing is being closed. */
  private openNow(node: ModelNode): void {
    while (node.inbox[0]?.op === 'open') {
      node.inbox.shift();
      if (!node.wanted) continue;
      if (node.state?.record?.role !== 'master') throw new Violation('opened without a record');
      node.open = true;
    }
  }
}

/** As `calls.ts` understands an answer. */
function heard(call: Call, view: LeadershipView, answer: Answer | null): Event {
  const { handoffId } = call;
  if (answer === null) return { type: 'peer-answered', view };
  if (!answer.ok) {
    const busy = answer.code === 'leadership.busy';
    return { type: 'call-refused', handoffId, busy, reason: answer.message };
  }
  if (answer.grant === null) return { type: 'offer-taken', handoffId, term: view.term };
  return { type: 'granted', handoffId, grant: answer.grant };
}

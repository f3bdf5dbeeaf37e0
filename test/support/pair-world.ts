import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RoleRecord } from '../../node/leadership/record.ts';
import type { MailServers } from './exim.ts';
import { mailSource } from './mails.ts';
import { TOKEN } from './node.ts';
import { type NodeId, type Pair, type PairNode, statusOf } from './pair.ts';
import { kindOf, mailsOf } from './people.ts';
import { eventually } from './process.ts';

const DATES = 'INICIO=27/10/2025 FIM=27/10/2025';
/** Extensions that are asked for and have no recordings: the first is that of request 1. */
const FIRST_EXTENSION = 7001;
/** Beside others, until a pair does what a test is not about. */
export const READY_MS = 60_000;

/** A request as it lies in the mailbox; the same number makes the same mail. */
export function requestMail({ requester }: Pair, number: number, dates = DATES): string {
  return mailSource({
    from: requester,
    messageId: `<pedido-${number}@mail.example.test>`,
    date: new Date().toUTCString(),
    subject: `[${TOKEN}] RAMAIS=${FIRST_EXTENSION - 1 + number} ${dates}`,
  });
}

/** What the requester was answered, sorted: one line a mail, `number kind`. */
export async function answersTo(servers: MailServers, { requester }: Pair): Promise<string[]> {
  const mails = await mailsOf(servers, requester);
  return mails
    .map((mail) => {
      const extension = Number(/RAMAIS=(\d+)/.exec(mail.parsed.subject ?? '')?.[1]);
      return `${String(extension - FIRST_EXTENSION + 1).padStart(3, '0')} ${kindOf(mail)}`;
    })
    .toSorted();
}

/** Each of the requests 1 to `count` confirmed once, and answered once. */
export function expectedAnswers(count: number): string[] {
  return Array.from({ length: count }, (_, at) => String(at + 1).padStart(3, '0')).flatMap((number) => [
    `${number} confirmation`,
    `${number} result`,
  ]);
}

/** Those that say they are master; a node that does not run says nothing. */
export async function mastersOf({ nodes }: Pair): Promise<NodeId[]> {
  const roles = await Promise.all(nodes.map((node) => roleOf(node)));
  return nodes.filter((_, at) => roles[at]?.role === 'master').map(({ id }) => id);
}

async function roleOf(node: PairNode): Promise<{ role: string; term: number } | null> {
  const { role, term } = await statusOf(node).catch(() => ({ role: 'none', term: -1 }));
  return role === 'none' ? null : { role, term };
}

/** The terms that the nodes know, and the higher of them. */
export async function terms({ nodes }: Pair): Promise<{ readonly all: number[]; readonly newest: number }> {
  const all = await Promise.all(nodes.map(async (node) => (await statusOf(node)).term));
  return { all, newest: Math.max(...all) };
}

/** Waits until one node is master and the other is not, both of one term; gives the master. */
export async function oneMaster(pair: Pair, timeoutMs = READY_MS): Promise<PairNode> {
  return eventually(
    'one master',
    async () => {
      const [first, second] = await Promise.all(pair.nodes.map((node) => statusOf(node)));
      if (first?.term !== second?.term) return null;
      const masters = pair.nodes.filter((_, at) => [first, second][at]?.role === 'master');
      const slaves = [first, second].filter((status) => status?.role === 'slave');
      return masters.length === 1 && slaves.length === 1 ? masters[0] : null;
    },
    timeoutMs,
    200, // each look is a call from either node to the other
  );
}

/** The terms of which a node has ever been master, by its role record. */
async function termsAsMaster({ stateDir }: PairNode): Promise<Set<number>> {
  const { current, history } = JSON.parse(await readFile(join(stateDir, 'role.json'), 'utf8')) as {
    readonly current: RoleRecord;
    readonly history: readonly RoleRecord[];
  };
  return new Set([...history, current].filter(({ role }) => role === 'master').map(({ term }) => term));
}

/** The nodes that have ever been master, by term, as their own histories tell. */
export async function mastersByTerm({ nodes }: Pair): Promise<Map<number, NodeId[]>> {
  const masters = new Map<number, NodeId[]>();
  for (const node of nodes) {
    for (const term of await termsAsMaster(node)) masters.set(term, [...(masters.get(term) ?? []), node.id]);
  }
  return masters;
}

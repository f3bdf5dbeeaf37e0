import { setTimeout as sleep } from 'node:timers/promises';
import type { Pair } from './pair.ts';
import { DEFAULT_PAGE, type NodeView, startPage } from './page.ts';
import { type Stage, subjectFor } from './story.ts';

const WATCH_EVERY_MS = 200;

/** Puts the page up, says how to go on, and names every further mail as it passes, and who becomes master. */
export async function showLive(stage: Stage, resources: AsyncDisposableStack): Promise<void> {
  const { terminal, servers, pair, album } = stage;
  const example = subjectFor(stage, ['1123', '1130']);
  const page = resources.use(await startPage({ servers, album, example, nodes: () => nodesOf(pair) }));
  const pageFlag = page.url === DEFAULT_PAGE ? '' : `--page ${page.url} `;
  const ctl = pair.audio.ctlCommand;
  terminal.title('The mails, exactly as they were received:');
  terminal.line(`
    ${page.url}

  Grouped by kind, each light and dark, as on a phone and on a desk. Tocar plays a recording there, a
  result leads to its page, and the ZIP downloads. To ask for more, write a subject on that
  page, or in another terminal one of:

    npm run demo -- send ${pageFlag}"${example}"
    curl --data-urlencode 'subject=${example}' ${page.url}send

  Both nodes side by side, how audio finds its recordings, and the mailbox to audio (and back: demote):

    ${ctl} status
    ${ctl} index status
    ${ctl} promote

  Try a subject with mistakes in it, too: RAMAIS=12 INICIO=31/02/2026. Ctrl-C ends the demo; nothing stays.
`);
  const ending = new AbortController();
  resources.defer(() => ending.abort());
  // It ends by being told to, or when a node ends, which is told elsewhere.
  tell(stage, ending.signal).catch(() => undefined);
}

async function tell({ terminal, servers, pair }: Stage, signal: AbortSignal): Promise<void> {
  let shown = servers.mails.length;
  let master = masterOf(await nodesOf(pair));
  for (;;) {
    for (const mail of servers.mails.slice(shown)) {
      const arrow = mail.inboxUid === null ? '←' : '→';
      terminal.line(`  ${arrow} mail ${mail.number}: ${mail.from} to ${mail.to.join(', ')}`);
      shown += 1;
    }
    const now = masterOf(await nodesOf(pair));
    if (now !== null && now !== master) terminal.line(`  ⇄ ${now}`);
    master = now ?? master;
    await sleep(WATCH_EVERY_MS, undefined, { signal });
  }
}

async function nodesOf({ audio2, audio }: Pair): Promise<NodeView[]> {
  const answers = await Promise.all([audio2, audio].map(({ control }) => control.call('leadership', {})));
  return answers.map(({ view: { nodeId, role, term } }) => ({ id: nodeId, role, term }));
}

function masterOf(nodes: readonly NodeView[]): string | null {
  const master = nodes.find(({ role }) => role === 'master');
  return master === undefined ? null : `${master.id} is master of term ${master.term}`;
}

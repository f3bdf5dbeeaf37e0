import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { playActs } from './acts.ts';
import { showLive } from './live-view.ts';
import { DEFAULT_PAGE } from './page.ts';
import type { Pair } from './pair.ts';
import { setUp } from './set-up.ts';
import { createTerminal } from './terminal.ts';

const USAGE = `Usage: npm run demo                      two nodes, two mail servers and some requests, to look at until Ctrl-C
       npm run demo -- --once            the same, and ends after the last act
       npm run demo -- send "SUBJECT"    sends a further mail to a demo that runs
                       [--page URL]      (which prints the URL of its page)
`;

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

/** Sets everything up and plays the acts; then shows what came of it until `stopped` aborts. */
async function demo(untilDone: boolean, stopped: AbortSignal): Promise<number> {
  const terminal = createTerminal(process.stdout, stopped);
  await using resources = new AsyncDisposableStack();
  let pair: Pair | undefined;
  const settingUp = setUp(terminal, resources, (started) => (pair = started));
  const run = async (): Promise<number> => {
    const stage = await settingUp;
    await playActs(stage);
    if (untilDone) return 0;
    await showLive(stage, resources);
    return stage.pair.ended;
  };
  try {
    return await Promise.race([run(), untilAborted(stopped).then(() => 0)]);
  } catch (error) {
    if (stopped.aborted) return 0; // a step that was under way found its servers gone
    terminal.line(`\n${(error as Error).message}`);
    for (const node of pair?.nodes ?? []) terminal.line(`\nThe log of ${node.id}:\n${node.log()}`);
    return EXIT_FAILURE;
  } finally {
    await Promise.allSettled([settingUp]); // what it has begun is to be ended as well
  }
}

/** Hands a subject to the demo that runs in another terminal. */
async function send(page: string, subject: string): Promise<number> {
  const body = new URLSearchParams({ subject });
  const response = await fetch(new URL('send', page), { method: 'POST', body }).catch(() => null);
  if (response?.status === 202) {
    process.stdout.write(`Sent; the answers appear on ${page}\n`);
    return 0;
  }
  const why = response === null ? 'no demo runs there: start it with `npm run demo`' : await response.text();
  process.stderr.write(`${page}: ${why.trim()}\n`);
  return EXIT_FAILURE;
}

/** Aborts at the first SIGINT or SIGTERM; at the second the process ends as it is. */
function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  return stopping.signal;
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { once: { type: 'boolean' }, page: { type: 'string' }, help: { type: 'boolean' } },
  });
  const [command, ...words] = positionals;
  if (values.help === true) process.stdout.write(USAGE);
  else if (command === undefined) return demo(values.once === true, stopSignal());
  else if (command === 'send' && words.length > 0) return send(values.page ?? DEFAULT_PAGE, words.join(' '));
  else process.stderr.write(USAGE);
  return values.help === true ? 0 : EXIT_USAGE;
}

// At once: what still waits for something in the demo that was stopped need not find it any more.
process.exit(await main());

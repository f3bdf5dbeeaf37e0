import { parseArgs } from 'node:util';
import { temporaryDirectory } from '../test/support/process.ts';
import { startMailServers } from './mail-servers.ts';
import { type NodeProcess, startNode } from './node-process.ts';
import { DEFAULT_PORT, startPage } from './page.ts';
import { makeRecordings, type RecordingTree } from './recordings.ts';
import { followRequest, type Stage } from './story.ts';
import { createTerminal, type Terminal } from './terminal.ts';

const USAGE = `Usage: npm run demo                      one node, two mail servers and a request, to look at until Ctrl-C
       npm run demo -- --once            the same, and ends once the ZIP is checked
       npm run demo -- send "SUBJECT"    sends a further mail to a demo that runs
                       [--page URL]      (which prints the URL of its page)
`;

const TIME_ZONE = 'America/Sao_Paulo';
const TOKEN = 'A1B2C3D4';
const PASSWORD = 'only-for-the-demo';
const WATCH_EVERY_MS = 200;
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

/** Sets everything up, sends a request and follows it; then shows what came of it until `stopped` resolves. */
async function demo(once: boolean, stopped: Promise<void>): Promise<number> {
  const terminal = createTerminal(process.stdout);
  await using resources = new AsyncDisposableStack();
  let node: NodeProcess | undefined;
  const run = async (): Promise<number> => {
    const stage = await setUp(terminal, resources, (started) => (node = started));
    await followRequest(stage, subjectFor(stage.tree, stage.tree.extensions));
    if (once) return 0;
    await show(stage, resources);
    return node === undefined ? 0 : node.ended;
  };
  try {
    return await Promise.race([run(), stopped.then(() => 0)]);
  } catch (error) {
    terminal.line(`\n${(error as Error).message}`);
    if (node !== undefined) terminal.line(`\nThe node's log:\n${node.log()}`);
    return EXIT_FAILURE;
  }
}

async function setUp(
  terminal: Terminal,
  resources: AsyncDisposableStack,
  onNode: (node: NodeProcess) => void,
): Promise<Stage> {
  terminal.title('Parelha: one node, from mail to recordings');
  const directory = resources.use(await temporaryDirectory()).path;
  const tree = await terminal.step(
    'Recordings of the last three days',
    () => makeRecordings(`${directory}/recordings`, Temporal.Now.zonedDateTimeISO(TIME_ZONE)),
    ({ root, empty }) => `${root}, some empty (${empty.length} of Ana's), one call going on`,
  );
  resources.defer(() => tree.endCall());
  const address = 'gravacoes@example.com';
  const servers = await terminal.step(
    'Mail servers in this process',
    () => startMailServers({ address, password: PASSWORD }),
    ({ imapPort, smtpPort }) => `IMAP 127.0.0.1:${imapPort}, SMTP 127.0.0.1:${smtpPort}`,
  );
  resources.use(servers);
  const options = {
    directory,
    servers,
    password: PASSWORD,
    token: TOKEN,
    recordings: tree.root,
    timeZone: TIME_ZONE,
  };
  const node = await terminal.step(
    'One node, waiting for mail',
    () => startNode(options),
    ({ configFile }) => `node node/main.ts --config ${configFile}`,
  );
  resources.use(node);
  onNode(node);
  return { terminal, servers, node, tree, token: TOKEN };
}

/** A subject that asks for all calls of the tree with these extensions. */
function subjectFor(tree: RecordingTree, extensions: readonly string[]): string {
  return `[${TOKEN}] RAMAIS=${extensions.join(',')} INICIO=${tree.firstDay} 00:00 FIM=${tree.lastDay} 23:59`;
}

/** Puts the page up, says how to go on, and names every further mail as it passes. */
async function show({ terminal, servers, tree }: Stage, resources: AsyncDisposableStack): Promise<void> {
  const example = subjectFor(tree, ['1123', '1130']);
  const page = resources.use(await startPage({ servers, example }));
  const pageFlag = page.url === defaultPage() ? '' : `--page ${page.url} `;
  terminal.title('The mails, exactly as they were received:');
  terminal.line(`\n    ${page.url}\n`);
  terminal.line(
    '  Tocar plays a recording there, and the ZIP downloads. To ask for more, write a subject on that',
  );
  terminal.line('  page, or in another terminal one of:\n');
  terminal.line(`    npm run demo -- send ${pageFlag}"${example}"`);
  terminal.line(`    curl --data-urlencode 'subject=${example}' ${page.url}send\n`);
  terminal.line(
    '  Try one with mistakes in it, too: RAMAIS=12 INICIO=31/02/2026. Ctrl-C ends the demo; nothing stays.\n',
  );
  let shown = servers.mails.length;
  const timer = setInterval(() => {
    for (const mail of servers.mails.slice(shown)) {
      terminal.line(
        `  ${mail.inboxUid === null ? '←' : '→'} mail ${mail.number}: ${mail.from} to ${mail.to.join(', ')}`,
      );
    }
    shown = servers.mails.length;
  }, WATCH_EVERY_MS);
  resources.defer(() => clearInterval(timer));
}

function defaultPage(): string {
  return `http://127.0.0.1:${DEFAULT_PORT}/`;
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

/** Resolves at the first SIGINT or SIGTERM; at the second the process ends as it is. */
async function untilStopped(): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.resolve());
  await stopped.promise;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { once: { type: 'boolean' }, page: { type: 'string' }, help: { type: 'boolean' } },
  });
  const [command, ...words] = positionals;
  if (values.help === true) process.stdout.write(USAGE);
  else if (command === undefined) return demo(values.once === true, untilStopped());
  else if (command === 'send' && words.length > 0) return send(values.page ?? defaultPage(), words.join(' '));
  else process.stderr.write(USAGE);
  return values.help === true ? 0 : EXIT_USAGE;
}

process.exitCode = await main();

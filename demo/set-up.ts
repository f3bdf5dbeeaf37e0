import { join } from 'node:path';
import { temporaryDirectory } from '../test/support/process.ts';
import { prepareAlone } from './alone.ts';
import { createAlbum } from './kinds.ts';
import { startMailServers } from './mail-servers.ts';
import { type Hosts, invite, type Pair, startHosts, startPair, untilIndexed, untilMaster } from './pair.ts';
import { ADDRESSES } from './person.ts';
import { makeRecordings } from './recordings.ts';
import { type SipServers, startSipServers } from './sip-servers.ts';
import type { Stage } from './story.ts';
import type { Terminal } from './terminal.ts';

const TIME_ZONE = 'America/Sao_Paulo';
const TOKEN = 'A1B2C3D4';
const PASSWORD = 'only-for-the-demo';

/** Sets up recordings, mail servers and two nodes that know each other; `resources` ends them. */
export async function setUp(
  terminal: Terminal,
  resources: AsyncDisposableStack,
  onPair: (pair: Pair) => void,
): Promise<Stage> {
  terminal.title('Parelha: two nodes, from mail to recordings');
  const directory = resources.use(await temporaryDirectory()).path;
  const tree = await terminal.step(
    'Recordings of the last three days',
    () => makeRecordings(join(directory, 'recordings'), Temporal.Now.zonedDateTimeISO(TIME_ZONE)),
    ({ root }) => `${root}, some empty, one call going on`,
  );
  resources.defer(() => tree.endCall());
  const servers = await terminal.step(
    'Mail servers in this process',
    () => startMailServers({ address: ADDRESSES.node, password: PASSWORD }),
    ({ imapPort, smtpPort }) => `IMAP 127.0.0.1:${imapPort}, SMTP 127.0.0.1:${smtpPort}`,
  );
  resources.use(servers);
  const { mails } = servers;
  const lone = resources.use(await startMailServers({ address: ADDRESSES.lone, password: PASSWORD, mails }));
  const sip = await terminal.step(
    'SIP servers in this process',
    () => startSipServers(join(directory, 'sip')),
    ({ count, file }) => `${count} of them, in ${file}`,
  );
  resources.use(sip);
  const hosts = await terminal.step(
    'Ways between the nodes: RPC, and SSH',
    () => startHosts(directory, resources),
    ({ audio, audio2, withoutSsh }) =>
      withoutSsh !== null
        ? 'RPC alone'
        : `sshd for audio 127.0.0.1:${audio.sshd?.port}, for audio2 :${audio2.sshd?.port}`,
  );
  const common = { directory, password: PASSWORD, timeZone: TIME_ZONE, serversFile: sip.file };
  const pair = await terminal.step(
    'Two nodes, each a process',
    () => startPair({ ...common, servers, hosts, recordings: tree.root, token: TOKEN }, resources),
    ({ audio2 }) => `node node/main.ts --config ${audio2.configFile}, and that of audio`,
  );
  onPair(pair);
  await letIn(pair, sip);
  await terminal.step(
    'audio has an index of its recordings',
    () => untilIndexed(pair, pair.audio),
    ({ files, folders, watched }) => `${files} files in ${folders} folders, ${watched} of them watched`,
  );
  await pairUp(terminal, pair, hosts);
  const alone = await prepareAlone({ ...common, servers: lone, recordings: tree.root }, resources);
  return { terminal, servers, hosts, pair, tree, token: TOKEN, sip, album: createAlbum(), alone };
}

/** Lets both nodes in at the SIP servers, by the key that each has made for itself. */
async function letIn({ nodes }: Pair, sip: SipServers): Promise<void> {
  for (const { control } of nodes) sip.letIn((await control.call('serverKey', {})).publicLine);
}

/** Pairs the two as an operator does. */
async function pairUp(terminal: Terminal, pair: Pair, hosts: Hosts): Promise<void> {
  const { line, shown } = await terminal.step(
    'audio2$ node-ctl pair invite',
    () => invite(pair.audio2, hosts.audio2),
    (invitation) => invitation.shown,
  );
  await terminal.step(
    `audio$ node-ctl pair accept ${shown}`,
    () => pair.audio.ctl('pair', 'accept', line),
    (printed) => (printed.split('\n')[0] ?? '').replace(/(?<=[0-9a-f]{8})[0-9a-f]{56}/, '…'),
  );
  await terminal.step(
    'audio2 is master, and reads the mailbox',
    () => untilMaster(pair, 'audio2'),
    ({ term, peer }) => `term ${term}; audio answers in ${peer?.latencyMs?.toFixed(1)} ms`,
  );
}

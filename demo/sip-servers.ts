import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import ssh2, { type Client, type Connection, type PublicKeyAuthContext, type Session } from 'ssh2';
import { makeSshKey } from '../node/platform/openssh-keys.ts';
import { hostKeyOf } from '../node/servers/ssh-connection.ts';
import { answer, ban, type Bans, noBans } from './sip-commands.ts';
import { serveFiles } from './sip-files.ts';

const LOOPBACK = '127.0.0.1';
const NAMES = { gv1p: 'GV1 (principal)', gv2p: 'GV2 (filial)', voip1: 'VoIP 1 (antigo)' } as const;

export type SipServerId = keyof typeof NAMES;

/** Which phone each extension has, as the definition files of the first user's servers say it. */
const PHONES = {
  '__ENDPOINTS__.DEF':
    "'3010': {'serialnumber': '000b82040506'},\n'3011': {'serialnumber': '000b82040511'},\n'3012': {'serialnumber': ''},\n",
  'endpoints_sip.def': '[3010]\nMAC:000b82040506\n[3011]\nMAC:000b82040511\n[3012]\nMAC:None\n',
  'tftp/cfg000b82040506.xml': '<phone>3010</phone>\n',
} as const;

/** SIP servers of this process: an SSH server each, with a stand-in for fail2ban and files of phones. */
export interface SipServers extends AsyncDisposable {
  /** SERVERS_FILE for the nodes. */
  readonly file: string;
  readonly count: number;
  /** Lets a node in by its key, as `type base64`. */
  letIn(publicKey: string): void;
  /** Bans an address in a jail. */
  ban(id: SipServerId, jail: string, ip: string): void;
  /** Takes a server off the network, or has it back. */
  setReachable(id: SipServerId, isReachable: boolean): Promise<void>;
  /** Takes it off the network when the next file of phones has been replaced, before it says so; resolves then. */
  breakOff(id: SipServerId): Promise<void>;
}

/** Starts them on free loopback ports; their files lie below `directory`. */
export async function startSipServers(directory: string): Promise<SipServers> {
  await using starting = new AsyncDisposableStack();
  const hostKey = await makeSshKey('sip');
  const keys = new Set<string>();
  const hosts = new Map<string, Host & { readonly bans: Bans }>();
  const described: object[] = [];
  for (const [id, name] of Object.entries(NAMES)) {
    const root = join(directory, id);
    // Of one server the disk is gone: a change there fails.
    if (id !== 'gv1p') await writePhones(root);
    const bans = noBans();
    const host = createHost({ keys, root, bans, hostKey });
    starting.defer(host.close);
    const port = await host.listen();
    hosts.set(id, { ...host, bans });
    const common = { id, name, host: LOOPBACK, port, audios_from: 'audio', host_key: fingerprintOf(hostKey) };
    described.push({ ...common, commands: ['CHECKIP', 'MACCHANGE'], ...phoneFilesIn(root) });
  }
  const file = join(directory, 'servers.json');
  await writeFile(file, JSON.stringify({ sip_servers: described }, null, 2), { mode: 0o600 });
  const stack = starting.move();
  return {
    file,
    count: described.length,
    letIn: (publicKey) => void keys.add(publicKey.split(' ').slice(0, 2).join(' ')),
    ban: (id, jail, ip) => {
      const at = Temporal.Now.instant().subtract({ minutes: 17 });
      ban(hosts.get(id)?.bans ?? noBans(), jail, ip, at);
    },
    setReachable: async (id, isReachable) => {
      await (isReachable ? hosts.get(id)?.listen() : hosts.get(id)?.close());
    },
    breakOff: async (id) => hosts.get(id)?.breakOff(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

interface HostOptions {
  /** Public keys that are let in. */
  readonly keys: ReadonlySet<string>;
  /** Where its files lie. */
  readonly root: string;
  readonly bans: Bans;
  readonly hostKey: string;
}

interface Host {
  /** Listens, on the port that it had before; gives it. */
  listen(): Promise<number>;
  close(): Promise<void>;
  breakOff(): Promise<void>;
}

function createHost({ keys, root, bans, hostKey }: HostOptions): Host {
  const open = new Set<Connection>();
  let port = 0;
  let isOpen = false;
  let cut: (() => void) | null = null;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    const closed = once(server, 'close');
    server.close();
    for (const connection of open) connection.end();
    await closed;
  };
  const onReplaced = (): void => {
    cut?.();
    cut = null;
  };
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => {
    open.add(connection);
    // Each small answer would wait for the one before to be acknowledged. (The types of ssh2 have it at clients alone.)
    (connection as Connection & Pick<Client, 'setNoDelay'>).setNoDelay(true);
    connection.on('error', () => undefined); // a client that hangs up is none of the server's faults
    connection.once('close', () => open.delete(connection));
    connection.on('authentication', (login) => {
      if (login.method === 'publickey' && isKnown(keys, login)) login.accept();
      else login.reject(['publickey']);
    });
    connection.on('session', (accept) => serveSession(accept(), root, bans, onReplaced));
  });
  return {
    listen: async () => {
      server.listen(port, LOOPBACK);
      await once(server, 'listening');
      isOpen = true;
      ({ port } = server.address() as AddressInfo);
      return port;
    },
    close,
    breakOff: () =>
      new Promise((resolve, reject) => {
        cut = () => void close().then(resolve, reject);
      }),
  };
}

/** Whether a key may log in, and where it comes with a signature whether that is its own. */
function isKnown(keys: ReadonlySet<string>, login: PublicKeyAuthContext): boolean {
  const line = `${login.key.algo} ${login.key.data.toString('base64')}`;
  if (!keys.has(line)) return false;
  if (login.signature === undefined || login.blob === undefined) return true; // asks whether it would do
  const key = ssh2.utils.parseKey(line);
  if (key instanceof Error) return false;
  // An Error where it cannot be checked at all; the types do not say so.
  const isRight: unknown = key.verify(login.blob, login.signature, login.hashAlgo);
  return isRight === true;
}

function serveSession(session: Session, root: string, bans: Bans, onReplaced: () => void): void {
  session.on('exec', (accept, _reject, { command }) => {
    const channel = accept();
    channel.on('error', () => undefined); // the client is gone
    // As a program that has read its input: before that the client may not listen for the exit status yet.
    channel.resume().once('end', () => {
      const { code, stdout } = answer(bans, command);
      channel.write(stdout);
      channel.exit(code);
      channel.end();
    });
  });
  session.on('sftp', (accept) => serveFiles(accept(), root, onReplaced));
}

async function writePhones(root: string): Promise<void> {
  for (const [name, content] of Object.entries(PHONES)) {
    await mkdir(dirname(join(root, 'pabx', name)), { recursive: true });
    await writeFile(join(root, 'pabx', name), content);
  }
}

function phoneFilesIn(root: string): object {
  const at = (name: string): string => join(root, 'pabx', name);
  return {
    mac_files: [
      { kind: 'line', path: at('__ENDPOINTS__.DEF'), record: "'{ramal}':", field: "'serialnumber': '{mac}'" },
      { kind: 'section', path: at('endpoints_sip.def'), field: 'MAC:{mac}', empty: 'None' },
      { kind: 'rename', path: at('tftp/cfg{mac}.xml') },
    ],
    mac_backup_dir: join(root, 'backups'),
    notify: ['parelha-remote', 'notify'],
  };
}

function fingerprintOf(privateKey: string): string {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return hostKeyOf(key.getPublicSSH()).fingerprint;
}

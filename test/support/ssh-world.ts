import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeSshKey, publicKeyOf } from '../../node/platform/openssh-keys.ts';
import { systemClock } from '../../node/platform/clock.ts';
import type { Server } from '../../node/servers/inventory.ts';
import { createSshRemote, type SshRemote, type SshRemoteOptions } from '../../node/servers/ssh-session.ts';
import { hostKeyOf } from '../../node/servers/ssh-connection.ts';
import { temporaryDirectory } from './process.ts';
import { sipServer } from './sip-server.ts';
import { type Sshd, startSshd } from './sshd.ts';

/** An OpenSSH server as a SIP server of ours, and what logs in to it. */
export interface SshWorld extends AsyncDisposable {
  readonly sshd: Sshd;
  readonly privateKey: string;
  /** As authorized_keys takes it, without a comment. */
  readonly publicKey: string;
  /** A directory for whatever a test wants there. */
  readonly directory: string;
  /** Fingerprints of its host keys, Ed25519 first. */
  fingerprints(): Promise<string[]>;
  /** Lets the key in from now on, with these options in front of it. */
  letIn(options: string): Promise<void>;
  /** A server of SERVERS_FILE that is this one, with its host key known unless told otherwise. */
  server(over?: Partial<Server>): Promise<Server>;
  /** What a node reaches it by. */
  remote(over?: Partial<SshRemoteOptions>): SshRemote;
}

/** Starts it; `options` go in front of the key in authorized_keys (`restrict,command="…"`). */
export async function startSshWorld(options = ''): Promise<SshWorld> {
  await using stack = new AsyncDisposableStack();
  const directory = join(stack.use(await temporaryDirectory()).path, 'server');
  await mkdir(directory);
  const sshd = stack.use(await startSshd());
  const privateKey = await makeSshKey('test');
  const publicKey = await publicKeyOf(privateKey);
  const letIn = (before: string): Promise<void> =>
    writeFile(sshd.authorizedKeysFile, `${before} ${publicKey}\n`.trimStart());
  await letIn(options);
  const all = stack.move();
  const fingerprints = async (): Promise<string[]> =>
    (await sshd.hostKeys()).map(
      (line) => hostKeyOf(Buffer.from(line.split(' ')[1] ?? '', 'base64')).fingerprint,
    );
  return {
    ...{ sshd, privateKey, publicKey, directory, fingerprints, letIn },
    server: async (over = {}) =>
      sipServer({
        host: sshd.host,
        port: sshd.port,
        user: sshd.user,
        hostKeys: await fingerprints(),
        ...over,
      }),
    remote: (over = {}) =>
      createSshRemote({
        loginOf: async ({ user }) => ({ user: user ?? sshd.user, privateKey }),
        trusted: ({ hostKeys }) => hostKeys,
        clock: systemClock,
        ...over,
      }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

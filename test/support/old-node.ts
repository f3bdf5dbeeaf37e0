import { execFile } from 'node:child_process';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PairNode } from './pair.ts';

const run = promisify(execFile);

/** The queue document of an old node, as its Python writes it. */
export function oldDocument(email: string, change: object = {}, parameters: object = {}): string {
  const document = {
    request_id: '20251111_150122_req001',
    timestamp_received: '2025-11-11 15:01:22',
    from_email: email,
    status: 'pending',
    retries: 0,
    parameters: { ramais: '1121', inicio: '27/10/2025 00:00', fim: '27/10/2025 23:59', email, ...parameters },
    ...change,
  };
  return JSON.stringify(document, null, 2);
}

/** What an administrator gives an old node: a key of its own that may log in to another host. */
export interface OldNode {
  /** Copies a file into the `pending/` of a node, by plain scp. */
  drop(name: string, content: string): Promise<void>;
}

/** Makes an old node's key, and lets it in at the host of `node`. */
export async function oldNodeAt(node: PairNode): Promise<OldNode> {
  const key = join(node.directory, 'old-node.key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'old', '-f', key]);
  await appendFile(node.sshd().authorizedKeysFile, await readFile(`${key}.pub`), { mode: 0o600 });
  const knownHosts = join(node.directory, 'old-node.known_hosts');
  const names = `[${node.ssh.host}]:${node.ssh.port}`;
  const lines = (await node.sshd().hostKeys()).map((line) => `${names} ${line}\n`);
  await writeFile(knownHosts, lines.join(''));
  return {
    drop: async (name, content) => {
      const file = join(node.directory, name);
      await writeFile(file, content);
      const options = ['BatchMode=yes', 'IdentitiesOnly=yes', `UserKnownHostsFile=${knownHosts}`];
      const target = `${node.sshd().user}@${node.ssh.host}:${join(node.queueDir, 'pending', name)}`;
      await run('scp', [
        ...['-q', '-F', 'none', '-i', key, '-P', String(node.ssh.port)],
        ...options.flatMap((option) => ['-o', option]),
        ...[file, target],
      ]);
    },
  };
}

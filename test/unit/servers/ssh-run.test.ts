import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2, { type ServerChannel } from 'ssh2';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../node/platform/clock.ts';
import type { Server } from '../../../node/servers/inventory.ts';
import { runProgram } from '../../../node/servers/ssh-run.ts';

const SERVER = { id: 'gv1p', host: '127.0.0.1', port: 22, user: 'parelha' } as unknown as Server;

/** What a server of this process makes of one program. */
async function ran(work: (channel: ServerChannel) => void) {
  const { privateKey } = generateKeyPairSync('rsa', {
    ...{ modulusLength: 2048, publicKeyEncoding: { type: 'pkcs1', format: 'pem' } },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const server = new ssh2.Server({ hostKeys: [privateKey] }, (connection) => {
    connection.on('authentication', (asked) => asked.accept());
    connection.on('session', (accept) => accept().on('exec', (run) => work(run())));
    connection.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new ssh2.Client();
  try {
    client.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, username: 'parelha' });
    await once(client, 'ready');
    return await runProgram(client, SERVER, systemClock, ['true']);
  } finally {
    client.end();
    server.close();
  }
}

describe('a program on a server', () => {
  test('ends as the server says also where it has ended before anybody could ask how', async () => {
    const { code, stdout } = await ran((channel) => {
      channel.write('done\n');
      channel.exit(7);
      channel.end();
    });
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'done\n' });
  });

  test('that is killed there has no exit code', async () => {
    const { code } = await ran((channel) => {
      channel.exit('KILL');
      channel.end();
    });
    expect(code).toBeNull();
  });
});

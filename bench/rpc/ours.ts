import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { createRpcClient } from '../../node/peer/rpc-client.ts';
import { startRpcServer } from '../../node/peer/rpc-server.ts';
import { rpcHandlers } from '../../test/support/rpc-pair.ts';
import type { Contender } from './contender.ts';
import { credentialsOf } from './keys.ts';

/** More than any machine does: the limit is counted, and not met. */
const UNLIMITED = { burst: 1e9, perSecond: 1e9 };

/** The node's own server and client, as they are. */
export const ours: Contender = {
  serve: async ({ client, server }, jobs) => {
    const { port } = await startRpcServer({
      nodeId: server.id,
      host: '127.0.0.1',
      port: 0,
      credentials: credentialsOf(server, client),
      handlers: rpcHandlers({ 'job.get': async ({ id }) => jobs.get(id), 'job.submit': jobs.submit }),
      invitationOpen: () => false,
      ready: () => true,
      clock: systemClock,
      log: silentLog,
      rates: { calls: UNLIMITED },
    });
    return port;
  },
  connect: async ({ client, server }, port) => {
    const peer = createRpcClient({
      nodeId: client.id,
      peerId: server.id,
      url: `https://127.0.0.1:${port}`,
      credentials: credentialsOf(client, server),
      clock: systemClock,
    });
    return {
      get: (params) => peer.call('job.get', params),
      submit: (params) => peer.call('job.submit', params),
      close: peer.close,
    };
  },
};

import type { createAdapters } from '../../node/adapters.ts';
import { AppError } from '../../node/platform/errors.ts';
import { createMemorySpace } from './memory-space.ts';

/** For adapters of a node alone that logs in to no server. */
export const NO_TRUST: Parameters<typeof createAdapters>[1] = {
  keyring: null,
  knownServers: { trusted: ({ hostKeys }) => hostKeys },
  serverKeys: { loginOf: () => Promise.reject(new AppError('server.key', 'there is none in this test')) },
  linkKey: Buffer.alloc(32, 1),
  space: createMemorySpace(),
};

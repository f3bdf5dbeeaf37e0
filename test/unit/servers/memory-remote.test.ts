import { describe } from 'vitest';
import type { Ran } from '../../../node/servers/remote.ts';
import { createMemoryRemote } from '../../support/memory-remote.ts';
import { remoteContract } from '../../support/remote-contract.ts';
import { sipServer } from '../../support/sip-server.ts';

remoteContract(describe, 'in memory', async () => {
  const remote = createMemoryRemote();
  const server = sipServer();
  const said = (stdout: string, more: Partial<Ran> = {}): Ran => ({ code: 0, stdout, stderr: '', ...more });
  const { programs } = remote.at(server.id);
  programs.set('words', (argv) => said(JSON.stringify(argv.slice(1))));
  programs.set('cat', (_argv, input) => said(input));
  programs.set('fail', () => said('out', { code: 3, stderr: 'err' }));
  programs.set('flood', () => said('x'.repeat(2_000_000)));
  programs.set('wait', () => new Promise(() => undefined));
  return {
    ...{ remote, server, directory: '/tmp' },
    programs: { words: ['words'], cat: ['cat'], fail: ['fail'], flood: ['flood'], wait: ['wait'] },
    [Symbol.asyncDispose]: async () => undefined,
  };
});

import type { Command } from '../../node/commands/command.ts';
import { createCheckIpGrammar } from '../../node/commands/checkip-grammar.ts';
import { parseBare } from '../../node/commands/bare-grammar.ts';
import { parseJobId, jobIdExample } from '../../node/commands/job-id-grammar.ts';
import { createMacChangeGrammar } from '../../node/commands/macchange-grammar.ts';
import { createRamaisGrammar } from '../../node/commands/ramais-grammar.ts';
import { createRegistry, type Registry } from '../../node/commands/registry.ts';
import { createWhitelistGrammar, WHITELIST_FIELDS } from '../../node/commands/whitelist-grammar.ts';
import type { Clock } from '../../node/platform/clock.ts';
import { sipServer } from '../support/sip-server.ts';

const clock: Clock = {
  now: () => Temporal.Instant.from('2025-11-12T15:00:00Z'),
  monotonicMs: () => 0,
  sleep: () => Promise.resolve(),
};
const servers = [
  sipServer({ id: 'gv1p', audiosFrom: 's3' }),
  sipServer({ id: 'gv2p' }),
  sipServer({ id: 'voip1', commands: ['CHECKIP'] }),
  sipServer({ id: 'antigo', enabled: false }),
];

/** A command with its grammar, and without its work. */
type Askable = Command & { readonly subjectOf: (params: never) => string };

type Grammar = Pick<Askable, 'parse' | 'subjectOf'> & Partial<Askable>;

function askable(keyword: string, grammar: Grammar): Askable {
  return {
    ...{ keyword, schema: undefined as never, example: () => keyword },
    route: () => ({ lane: 'replies', source: null }),
    work: () => Promise.reject(new Error('only its grammar is looked at')),
    ...grammar,
  };
}

const bare = (keyword: string): Askable =>
  askable(keyword, { bare: true, parse: (fields) => parseBare(keyword, fields), subjectOf: () => keyword });

const ofJob = (keyword: string, spelling: string): Askable =>
  askable(keyword, {
    ...{ bare: true, fields: { [keyword]: [spelling] }, example: () => jobIdExample(keyword) },
    parse: (fields) => parseJobId(keyword, fields),
    subjectOf: ({ id }: { id: string }) => `${keyword}=${id}`,
  });

const commands: readonly Askable[] = [
  askable(
    'RAMAIS',
    createRamaisGrammar({
      ...{ maxExtensions: 10, maxDays: 30, servers, defaultSource: 'audio' },
      ...{ timeZone: 'America/Sao_Paulo', clock },
    }),
  ),
  askable('CHECKIP', createCheckIpGrammar(servers)),
  askable('MACCHANGE', createMacChangeGrammar(servers)),
  askable('WHITELIST', {
    ...createWhitelistGrammar({ servers, adminEmail: 'admin@example.com' }),
    ...{ fields: WHITELIST_FIELDS, example: () => 'WHITELIST LIST' },
  }),
  ...['STATUS', 'FILA', 'AJUDA'].map(bare),
  ...[ofJob('CANCELAR', 'CANCELE'), ofJob('REENVIAR', 'REENVIE')],
];

/** All that a subject can ask for. */
export const registry: Registry = createRegistry(commands);

/** The subject that stands for what was asked. */
export function subjectOf(command: Command, params: object): string {
  return (commands.find((one) => one.keyword === command.keyword) as Askable).subjectOf(params as never);
}

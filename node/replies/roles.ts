import type { Role } from '../access/people.ts';
import type { PersonView } from './command-views.ts';
import { formatInstant } from './format.ts';
import type { Pair } from './parts.ts';

/** Of the limits of one person. */
const MAX_LISTED = 40;

/** What a role is called. */
export const ROLE: Readonly<Record<Role, string>> = {
  admin: 'administrador',
  operador: 'operador',
  consulta: 'consulta',
};

/** What somebody is limited to: `1121, 1122`, or `todos`. */
export function limitText(values: readonly string[] | null, max = MAX_LISTED): string {
  if (values === null) return 'todos';
  if (values.length === 0) return 'nenhum';
  const more = values.length - max;
  return `${values.slice(0, max).join(', ')}${more > 0 ? ` e mais ${more}` : ''}`;
}

/** What somebody may do, in one line; null for nobody. */
export function rightsText(person: Pick<PersonView, 'role' | 'extensions' | 'servers'> | null): string {
  if (person === null) return 'sem acesso';
  const { role, extensions, servers } = person;
  return [
    ROLE[role],
    ...(extensions === null ? [] : [`ramais ${limitText(extensions)}`]),
    ...(servers === null ? [] : [`servidores ${limitText(servers)}`]),
  ].join('; ');
}

/** Who added somebody. */
export function addedText({ added }: PersonView, timeZone: string): string {
  return added === null ? 'pela configuração' : `por ${added.by}, em ${formatInstant(added.at, timeZone)}`;
}

/** What somebody may do, row by row. */
export function personPairs(person: PersonView, timeZone: string): Pair[] {
  return [
    ['Pessoa', person.address],
    ['Papel', ROLE[person.role]],
    ['Ramais', limitText(person.extensions)],
    ['Servidores', limitText(person.servers)],
    ['Incluída', addedText(person, timeZone)],
  ];
}

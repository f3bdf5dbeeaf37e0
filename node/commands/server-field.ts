import type { Fault } from './command.ts';
import { nearest } from './did-you-mean.ts';
import { type Reading, shown } from './fields.ts';

const MAX_SERVERS_NAMED = 50;

/** What SERVER may name. */
export interface ServerChoice {
  /** All that SERVERS_FILE has. */
  readonly servers: readonly { readonly id: string; readonly enabled: boolean }[];
  /** Those that the command can be asked about. */
  readonly askable: readonly { readonly id: string }[];
  /** What faults tell besides, for their sentences. */
  readonly told: Fault['values'];
}

/** The ids that can be written, as a fault tells them. */
export function namesOf({ askable }: Pick<ServerChoice, 'askable'>): string {
  const ids = askable.slice(0, MAX_SERVERS_NAMED).map(({ id }) => id);
  return ids.join(', ');
}

/** Reads SERVER; case does not matter. An empty one is none. One that cannot be asked about is not suggested. */
export function readServer(text: string, choice: ServerChoice): Reading<string> {
  if (text === '') return { value: null, faults: [] };
  const { servers, told } = choice;
  const ids = choice.askable.map(({ id }) => id);
  const found = servers.find(({ id }) => id.toUpperCase() === text.toUpperCase());
  if (found !== undefined && ids.includes(found.id)) return { value: found.id, faults: [] };
  const values = { value: shown(text), known: namesOf(choice), ...told };
  if (found !== undefined) {
    const code = found.enabled ? 'server-without-command' : 'server-disabled';
    return { value: null, faults: [{ field: 'SERVER', code, values }] };
  }
  const meant = nearest(text, ids);
  const hinted = meant === null ? values : { ...values, suggestion: meant };
  return { value: meant, faults: [{ field: 'SERVER', code: 'server-unknown', values: hinted }] };
}

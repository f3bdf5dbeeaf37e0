import type { AccessRecord, AccessStore } from '../../node/access/access-store.ts';
import { isNewer } from '../../node/access/open-access-store.ts';
import { createPeople } from '../../node/access/people-store.ts';
import type { ChangeablePeople } from '../../node/access/people.ts';
import { createPermission, type Permission, type RoleCommands } from '../../node/commands/permission.ts';

/** What OPERADOR_COMMANDS and CONSULTA_COMMANDS are where nothing else is said. */
export const ROLE_COMMANDS: RoleCommands = {
  operador: ['RAMAIS', 'CHECKIP', 'MACCHANGE', 'STATUS', 'FILA', 'CANCELAR', 'REENVIAR', 'AJUDA'],
  consulta: ['RAMAIS', 'STATUS', 'FILA', 'CANCELAR', 'REENVIAR', 'AJUDA'],
};

/** An {@link AccessStore} without a disk. */
export function createMemoryAccessStore(nodeId = 'audio', at = '2026-03-02T12:00:00Z'): AccessStore {
  const records = new Map<string, AccessRecord>();
  const listeners = new Set<(record: AccessRecord) => void>();
  const take = (record: AccessRecord): void => {
    records.set(record.key, record);
    for (const listener of listeners) listener(record);
  };
  return {
    get: (key) => records.get(key) ?? null,
    list: (prefix) =>
      [...records.values()]
        .filter(({ key }) => key.startsWith(prefix))
        .toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    put: async (key, value, by) => {
      const record = { key, version: (records.get(key)?.version ?? 0) + 1, node: nodeId, at, by, value };
      take(record);
      return record;
    },
    merge: async (incoming) => {
      const news = new Map<string, AccessRecord>();
      for (const record of incoming) {
        const known = news.get(record.key) ?? records.get(record.key);
        if (known === undefined || isNewer(record, known)) news.set(record.key, record);
      }
      for (const record of news.values()) take(record);
      return [...news.values()];
    },
    onChange: (listener) => {
      listeners.add(listener);
    },
  };
}

/** People in memory, of these entries and one admin. */
export function memoryPeople(
  entries: readonly string[],
  adminEmail = 'admin@example.com',
  store = createMemoryAccessStore(),
): ChangeablePeople {
  return createPeople({ store, whitelist: entries, adminEmail });
}

/** A permission that lets these in, with all that an operator may do. */
export function letsIn(...entries: readonly string[]): Permission {
  return createPermission(memoryPeople(entries), ROLE_COMMANDS);
}

import type { Server } from '../../node/servers/inventory.ts';

/** A SIP server as SERVERS_FILE could have it, where only some of it matters. */
export function sipServer(over: Partial<Server> = {}): Server {
  const id = over.id ?? 'gv1p';
  return {
    ...{ id, name: id.toUpperCase(), host: `${id}.example.com`, enabled: true, audiosFrom: null },
    ...{ port: 22, user: null, keyFile: null, hostKeys: [], commands: ['CHECKIP', 'MACCHANGE'] },
    fail2ban: { sudo: false, jailDirectory: '/etc/fail2ban/jail.d', logs: [] },
    ...{ macFiles: [], macBackupDir: '/var/backups/parelha', notify: null },
    ...over,
  };
}

import fc from 'fast-check';
import { parseEntries, printIgnoreFile } from '../../node/servers/ignore-file.ts';
import { parseInventory, type Server } from '../../node/servers/inventory.ts';
import { same, target, type Target } from './engine.ts';
import { damaged, textOf } from './inputs.ts';

const ignoreFile = target(
  'ignore file',
  4,
  textOf(
    [
      ...[
        '#parelha ip=203.0.113.9 ',
        '#parelha ip=2001:db8::1 ',
        'since=2025-11-12T15:00:00Z ',
        'until=2025-12-12T15:00:00Z ',
      ],
      ...[
        'job=3f9a1c02 ',
        'by=ana@example.com',
        '\n',
        '\n',
        '\r\n',
        '[sshd]',
        'ignoreip = ',
        '%(known/ignoreip)s',
        ' ',
      ],
    ],
    40,
  ),
  (text) => {
    const entries = parseEntries(text);
    same(parseEntries(printIgnoreFile(entries, ['sshd', 'asterisk'])), entries, 'read back');
  },
);

const macFile = fc.oneof(
  fc.record(
    {
      kind: fc.constantFrom('line', 'section', 'x'),
      path: fc.constantFrom('/a', '/b/c', '../d'),
      record: fc.constantFrom('{ramal}', 'x'),
      field: fc.constantFrom('MAC:{mac}', ''),
    },
    { requiredKeys: ['kind', 'path'] },
  ),
  fc.record(
    {
      kind: fc.constant('rename'),
      path: fc.constantFrom('/t/{mac}.cfg', '/{mac}/a'),
      case: fc.constantFrom('upper', 'up'),
    },
    { requiredKeys: ['kind', 'path'] },
  ),
);
const sipServers = fc.array(
  fc.record(
    {
      id: fc.oneof(fc.constantFrom('gv1p', 'GV1P', 'gv2p', 'a b'), fc.string({ maxLength: 6 })),
      host: fc.constantFrom('a.example.com', '203.0.113.1', '-o', ''),
      ...{ name: fc.string(), enabled: fc.boolean(), port: fc.oneof(fc.integer(), fc.constant('22')) },
      audios_from: fc.constantFrom('audio', 's3', null, 'tape'),
      host_key: fc.constantFrom(`SHA256:${'a'.repeat(43)}`, 'x', [`SHA256:${'b'.repeat(43)}=`]),
      commands: fc.subarray(['CHECKIP', 'macchange', 'X']),
      ...{ mac_files: fc.array(macFile, { maxLength: 3 }), notify: fc.array(fc.string(), { maxLength: 3 }) },
      extra: fc.anything(),
    },
    { requiredKeys: ['id', 'host'] },
  ),
  { maxLength: 4 },
);

/** A server as a file could have it. */
function documentOf(server: Server): object {
  return {
    ...{
      id: server.id,
      name: server.name,
      host: server.host,
      enabled: server.enabled,
      audios_from: server.audiosFrom,
    },
    ...{ port: server.port, user: server.user, key_file: server.keyFile, host_key: server.hostKeys },
    ...{ commands: server.commands, mac_backup_dir: server.macBackupDir, notify: server.notify },
    fail2ban: { ...server.fail2ban, jail_directory: server.fail2ban.jailDirectory },
    mac_files: server.macFiles.map(({ notation, ...file }) => ({ ...file, ...notation })),
  };
}

const inventory = target(
  'inventory',
  4,
  fc.oneof(
    sipServers.map((all) =>
      JSON.stringify({ sip_servers: all }, (_, value: unknown) => (typeof value === 'bigint' ? null : value)),
    ),
    damaged(
      fc.constant(
        '{"sip_servers":[{"id":"gv1p","host":"gv1p.example.com","commands":["CHECKIP"],"port":22}]}',
      ),
    ),
    textOf(['{', '}', '[', ']', '"sip_servers"', ':', '"id"', '"host"', '"a"', ',', 'null', 'true']),
  ),
  (text) => {
    const read = parseInventory(text);
    if (!read.ok) {
      if (read.problems.length === 0) throw new Error('refused without a reason');
      return;
    }
    const again = parseInventory(JSON.stringify({ sip_servers: read.servers.map(documentOf) }));
    same(again, { ...read, doubts: [] }, 'read back');
  },
);

/** What reads files about servers. */
export const SERVER_TARGETS: readonly Target[] = [ignoreFile, inventory];

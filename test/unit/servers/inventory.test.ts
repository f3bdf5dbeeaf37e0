import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseInventory } from '../../../node/servers/inventory.ts';

const problemsOf = (text: string): readonly string[] => {
  const inventory = parseInventory(text);
  return inventory.ok ? [] : inventory.problems;
};

/** What a server is where SERVERS_FILE says no more than the old scripts did. */
const PLAIN = {
  ...{
    enabled: true,
    audiosFrom: null,
    port: 22,
    user: null,
    keyFile: null,
    hostKeys: [],
    commands: ['CHECKIP'],
  },
  fail2ban: { sudo: false, jailDirectory: '/etc/fail2ban/jail.d', logs: ['/var/log/fail2ban.log'] },
  ...{ macFiles: [], macBackupDir: '/var/backups/parelha', notify: null },
};
const FINGERPRINT = `SHA256:${'aB3+/'.repeat(8)}xyz`;
const LINE = {
  kind: 'line',
  path: '/etc/voip/endpoints_sip.def',
  record: 'ramal:{ramal};',
  field: 'MAC:{mac}',
  empty: 'None',
};

/** The faults of one server with these fields. */
const problemsWith = (fields: object): readonly string[] =>
  problemsOf(JSON.stringify({ sip_servers: [{ id: 'a', host: 'h', ...fields }] }));

test('a servers.json of the old scripts is read, with fields that are not ours passed over', () => {
  const text = JSON.stringify({
    version: 2,
    sip_servers: [
      { id: 'gv1p', name: 'GV1', host: '203.0.113.1', enabled: true, audios_from: 'audio', ssh_port: 22 },
      { id: 'gv2p', name: '', host: '2001:db8::1', enabled: false, audios_from: null },
    ],
  });
  expect(parseInventory(text)).toEqual({
    ok: true,
    doubts: [],
    servers: [
      { ...PLAIN, id: 'gv1p', name: 'GV1', host: '203.0.113.1', audiosFrom: 'audio' },
      { ...PLAIN, id: 'gv2p', name: 'gv2p', host: '2001:db8::1', enabled: false },
    ],
  });
});

test('all that a server can say is read', () => {
  const text = JSON.stringify({
    sip_servers: [
      {
        ...{ id: 'gv1p', host: 'gv1p.example.com', port: 2222, user: 'voip', key_file: 'gv1p.key' },
        ...{ host_key: `${FINGERPRINT}=`, commands: ['checkip', 'MACCHANGE', 'CHECKIP'] },
        fail2ban: { sudo: true, jail_directory: '/usr/local/etc/fail2ban/jail.d', logs: ['/var/log/a.log'] },
        mac_files: [
          LINE,
          {
            kind: 'section',
            path: '/etc/voip/__ENDPOINTS__.DEF',
            field: "'serialnumber': '{mac}'",
            case: 'upper',
          },
          { kind: 'rename', path: '/srv/tftp/cfg{mac}.xml', separator: '-' },
        ],
        ...{ mac_backup_dir: '/var/backups/voip', notify: ['sudo', '-n', '/usr/local/bin/reload', ''] },
      },
      { id: 'gv2p', host: 'b', host_key: [FINGERPRINT, `SHA256:${'b'.repeat(43)}`], commands: [] },
    ],
  });
  const plainMac = { separator: '', case: 'lower' };
  expect(parseInventory(text)).toMatchObject({
    ok: true,
    servers: [
      {
        ...{ port: 2222, user: 'voip', keyFile: 'gv1p.key', hostKeys: [FINGERPRINT] },
        commands: ['CHECKIP', 'MACCHANGE'],
        fail2ban: { sudo: true, jailDirectory: '/usr/local/etc/fail2ban/jail.d', logs: ['/var/log/a.log'] },
        macFiles: [
          { ...LINE, notation: plainMac },
          { kind: 'section', record: '[{ramal}]', empty: '', notation: { separator: '', case: 'upper' } },
          { kind: 'rename', path: '/srv/tftp/cfg{mac}.xml', notation: { separator: '-', case: 'lower' } },
        ],
        ...{ macBackupDir: '/var/backups/voip', notify: ['sudo', '-n', '/usr/local/bin/reload', ''] },
      },
      { hostKeys: [FINGERPRINT, `SHA256:${'b'.repeat(43)}`], commands: [] },
    ],
  });
});

test('the example of the documents is one that is read', () => {
  const file = join(import.meta.dirname, '../../../config/servers.json.example');
  expect(problemsOf(readFileSync(file, 'utf8'))).toEqual([]);
});

test.each([
  [{ port: 0 }, '.port', ''],
  [{ port: '22' }, '.port', ''],
  [{ user: 'a b' }, '.user', 'name of an account'],
  [{ user: '-oProxyCommand=x' }, '.user', 'name of an account'],
  [{ host: '-oProxyCommand=x' }, '.host', 'host name'],
  [{ host_key: 'ssh-ed25519 AAAA' }, '.host_key', 'SHA256'],
  [{ host_key: ['MD5:aa:bb'] }, '.host_key[0]', 'SHA256'],
  [{ commands: ['RAMAIS'] }, '.commands[0]', 'CHECKIP or MACCHANGE'],
  [{ fail2ban: { jail_directory: '../jail.d' } }, '.fail2ban.jail_directory', 'absolute path'],
  [{ fail2ban: { logs: ['/var/log/../x'] } }, '.fail2ban.logs[0]', 'absolute path'],
  [{ mac_backup_dir: '/var/backups/' }, '.mac_backup_dir', 'absolute path'],
  [{ notify: 'reload now' }, '.notify', 'a list'],
  [{ notify: [] }, '.notify', ''],
  [{ notify: [''] }, '.notify', 'begin with a program'],
  [{ notify: ['a\nb'] }, '.notify[0]', 'one line'],
  [{ mac_files: [{ ...LINE, kind: 'lines' }] }, '.mac_files[0].kind', 'line, section or rename'],
  [{ mac_files: [{ ...LINE, field: 'MAC:' }] }, '.mac_files[0].field', '{mac}'],
  [{ mac_files: [{ ...LINE, field: '{mac} {mac}' }] }, '.mac_files[0].field', 'once'],
  [{ mac_files: [{ ...LINE, field: ' {mac}' }] }, '.mac_files[0].field', 'more in it than {mac}'],
  [{ mac_files: [{ ...LINE, record: 'x' }] }, '.mac_files[0].record', '{ramal}'],
  [{ mac_files: [{ ...LINE, empty: '000000000000' }] }, '.mac_files[0].empty', 'MAC'],
  [{ mac_files: [{ ...LINE, feild: 'x' }] }, '.mac_files[0]', 'feild'],
  [{ mac_files: [{ ...LINE, path: 'etc/a' }] }, '.mac_files[0].path', 'absolute path'],
  [{ mac_files: [{ ...LINE, separator: '/' }] }, '.mac_files[0].separator', 'must be'],
  [{ mac_files: [{ kind: 'rename', path: '/srv/{mac}/cfg.xml' }] }, '.mac_files[0].path', 'name of the file'],
  [{ mac_files: [LINE, LINE] }, '.mac_files[1].path', 'mac_files[0] too'],
  [{ mac_files: [LINE], mac_backup_dir: '/etc/voip/old' }, '.mac_backup_dir', 'must not lie'],
  [{ commands: ['MACCHANGE'] }, '.mac_files', 'MACCHANGE needs'],
])('%j is a fault that names its field', (fields, where, what) => {
  const [problem = '', ...more] = problemsWith(fields);
  expect(more).toEqual([]);
  expect(problem.slice(0, problem.indexOf(': '))).toBe(`sip_servers[0]${where}`);
  expect(problem).toContain(what);
});

test.each([
  [{ enabled: 'yes' }, '.enabled: must be true or false, without quotes'],
  [{ port: '22' }, '.port: must be a number, without quotes'],
  [{ audios_from: 'disk' }, '.audios_from: must be audio or s3'],
  [{ mac_files: [{ ...LINE, record: undefined }] }, '.mac_files[0].record: is missing'],
  [{ mac_files: {} }, '.mac_files: must be a list: […]'],
  [{ fail2ban: { logs: '/var/log/x' } }, '.fail2ban.logs: must be a list: […]'],
])('%j is told in words of the file', (fields, problem) => {
  expect(problemsWith(fields)).toEqual([`sip_servers[0]${problem}`]);
});

test('a field that looks like a misspelt one is doubted, one of the old scripts is not', () => {
  const doubtsOf = (fields: object): readonly string[] => {
    const read = parseInventory(JSON.stringify({ sip_servers: [{ id: 'a', host: 'h', ...fields }] }));
    return read.ok ? read.doubts : ['wrong'];
  };
  expect(doubtsOf({ prot: 22, macfiles: [], fail2ban: { jaildirectory: '/x' } })).toEqual([
    'sip_servers[0].prot: is no field that is known, and counts for nothing; is it port?',
    'sip_servers[0].macfiles: is no field that is known, and counts for nothing; is it mac_files?',
    'sip_servers[0].fail2ban.jaildirectory: is no field that is known, and counts for nothing; is it jail_directory?',
  ]);
  expect(doubtsOf({ location: 'x', port: 22, ports: 1, os: '', ip: '', user: 'a', password: '' })).toEqual(
    [],
  );
});

test('ids that differ only in case are refused', () => {
  const text = '{"sip_servers":[{"id":"gv1p","host":"a"},{"id":"x","host":"b"},{"id":"GV1P","host":"c"}]}';
  expect(problemsOf(text)).toEqual(['sip_servers[2].id: is the id of sip_servers[0] too']);
});

test('every fault names its place', () => {
  const text = '{"sip_servers":[{"id":"bad id","host":"-x"},{"id":"b","host":"h","audios_from":"tape"}]}';
  expect(problemsOf(text).map((problem) => problem.split(':')[0])).toEqual([
    'sip_servers[0].id',
    'sip_servers[0].host',
    'sip_servers[1].audios_from',
  ]);
  expect(problemsOf('[]')[0]).toMatch(/^the document: /);
});

test('text that is not JSON is told by its place, not its content', () => {
  const [problem] = problemsOf('{\n  "sip_servers": [ hunter2 ]\n}');
  expect(problem).toMatch(/^is not JSON/);
  expect(problem).not.toContain('hunter2');
});

test('no text makes it throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(['boolean']).toContain(typeof parseInventory(text).ok);
    }),
  );
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseInventory } from '../../../node/servers/inventory.ts';

const problemsOf = (text: string): readonly string[] => {
  const inventory = parseInventory(text);
  return inventory.ok ? [] : inventory.problems;
};

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
    servers: [
      { id: 'gv1p', name: 'GV1', host: '203.0.113.1', enabled: true, audiosFrom: 'audio' },
      { id: 'gv2p', name: 'gv2p', host: '2001:db8::1', enabled: false, audiosFrom: null },
    ],
  });
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

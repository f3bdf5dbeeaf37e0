import { expect, test } from 'vitest';
import { diskView, diskViewSchema, spaceWarnings } from '../../../node/listeners/space-view.ts';

const ROOM = { freeBytes: 5_000_000, headroomBytes: 1_000_000, isLow: false };
const LOW = { freeBytes: 912_345, headroomBytes: 2_000_000_000, isLow: true };
const USE = {
  parts: [{ name: 'results', bytes: 3_000 }],
  stateBytes: 3_000,
  measuredAt: Temporal.Instant.from('2026-03-02T12:00:00Z'),
};

test('what the status tells of the disk is whole before anything was measured, and after', () => {
  for (const view of [diskView(ROOM, null), diskView(LOW, USE)]) {
    expect(diskViewSchema.parse(JSON.parse(JSON.stringify(view)))).toEqual(view);
  }
  expect(diskView(ROOM, null)).toEqual({ ...ROOM, parts: [], stateBytes: null, measuredAt: null });
  expect(diskView(LOW, USE)).toMatchObject({ stateBytes: 3_000, measuredAt: '2026-03-02T12:00:00Z' });
});

test('an operator is warned of too little room, with the numbers and what follows', () => {
  expect(spaceWarnings(ROOM)).toEqual([]);
  expect(spaceWarnings(LOW)).toEqual([
    'the disk is nearly full: 0 MB free, DISK_HEADROOM_BYTES is 2,000 MB; new requests are refused until there is room',
  ]);
});

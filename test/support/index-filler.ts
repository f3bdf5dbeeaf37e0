import { beginIndex, openIndex } from '../../node/indexing/index-files.ts';
import { recordingName } from './audio.ts';

/**
 * Writes to an index for as long as it lives: `build` begins one and never completes it, `live` adds to the one that is
 * there. Each transaction adds files and notes in the fact `files` how many there are then. Says `writing` once it does.
 */
const FILES_AT_ONCE = 40;

const [directory = '', how = ''] = process.argv.slice(2);
const writer = how === 'build' ? beginIndex(directory, 'audio') : openIndex(directory, 'audio');
if (writer === null) throw new Error('there is no index');
const folder = writer.putFolder('', null);
let total = writer.counts().files;
for (let round = 0; ; round += 1) {
  const begun = total;
  writer.transaction(() => {
    for (let index = 0; index < FILES_AT_ONCE; index += 1) {
      const [from, to] = [1000 + ((total * 7) % 1400), 1000 + ((total * 13) % 1400)];
      const unique = `${process.pid}.${total}`;
      const name = recordingName(String(from), String(to), '20251027-080000', unique);
      total += writer.add(folder, [{ name, sizeBytes: null }]);
    }
    writer.setFact('files', String(total));
  });
  if (total !== begun + FILES_AT_ONCE) throw new Error('not all were new');
  if (round === 20) process.stdout.write('writing\n');
}

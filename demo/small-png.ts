import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const MAX_COLOURS = 256;
const CHANNELS_OF: Readonly<Record<number, number>> = { 2: 3, 6: 4 };

/**
 * The same picture with a palette of at most 256 colours, as pictures of text hardly have more: about a third of the bytes.
 * Reads what Chromium writes: 8 bits, RGB or RGBA, not interlaced (PNG specification, third edition). Opacity is left away.
 */
export function smallPng(png: Buffer): Buffer {
  const { width, height, channels, data } = read(png);
  const pixels = unfiltered(data, width, height, channels);
  const { palette, indexes } = paletteOf(pixels, channels);
  const rows = Buffer.alloc((width + 1) * height); // each begins with its filter: none
  for (let y = 0; y < height; y++) {
    indexes.copy(rows, y * (width + 1) + 1, y * width, (y + 1) * width);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8);
  const chunks = [
    ['IHDR', header],
    ['PLTE', palette],
    ['IDAT', deflateSync(rows, { level: 9 })],
    ['IEND', Buffer.alloc(0)],
  ] as const;
  return Buffer.concat([SIGNATURE, ...chunks.map(([type, content]) => chunk(type, content))]);
}

function read(png: Buffer): { width: number; height: number; channels: number; data: Buffer } {
  const parts: Buffer[] = [];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const channels = CHANNELS_OF[png[25] ?? 0];
  if (png[24] !== 8 || channels === undefined) throw new Error('a PNG of another form than Chromium writes');
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  return { width, height, channels, data: inflateSync(Buffer.concat(parts)) };
}

/** Undoes the filters of the rows (section 9.2). */
function unfiltered(data: Buffer, width: number, height: number, channels: number): Buffer {
  const stride = width * channels;
  const pixels = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)] ?? 0;
    const from = y * (stride + 1) + 1;
    const to = y * stride;
    for (let x = 0; x < stride; x++) {
      const left = x < channels ? 0 : (pixels[to + x - channels] ?? 0);
      const up = y === 0 ? 0 : (pixels[to + x - stride] ?? 0);
      const corner = x < channels || y === 0 ? 0 : (pixels[to + x - stride - channels] ?? 0);
      pixels[to + x] = (data[from + x] ?? 0) + predicted(filter, left, up, corner);
    }
  }
  return pixels;
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) return 0;
  const guess = left + up - corner;
  const [byLeft, byUp, byCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (byLeft <= byUp && byLeft <= byCorner) return left;
  return byUp <= byCorner ? up : corner;
}

/** The most frequent colours as they are; each other one as the nearest of these. */
function paletteOf(pixels: Buffer, channels: number): { palette: Buffer; indexes: Buffer } {
  const counts = new Map<number, number>();
  for (let at = 0; at < pixels.length; at += channels) {
    const colour = pixels.readUIntBE(at, 3);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const colours = [...counts].toSorted(([, one], [, other]) => other - one).map(([colour]) => colour);
  const kept = colours.slice(0, MAX_COLOURS);
  const places = new Map(kept.map((colour, index) => [colour, index]));
  for (const colour of colours.slice(MAX_COLOURS)) places.set(colour, nearest(kept, colour));
  const indexes = Buffer.alloc(pixels.length / channels);
  for (let pixel = 0; pixel < indexes.length; pixel++) {
    indexes[pixel] = places.get(pixels.readUIntBE(pixel * channels, 3)) ?? 0;
  }
  const palette = Buffer.alloc(kept.length * 3);
  for (const [index, colour] of kept.entries()) palette.writeUIntBE(colour, index * 3, 3);
  return { palette, indexes };
}

function nearest(kept: readonly number[], colour: number): number {
  let [best, bestDistance] = [0, Infinity];
  for (const [index, other] of kept.entries()) {
    const red = (other >> 16) - (colour >> 16);
    const green = ((other >> 8) & 0xff) - ((colour >> 8) & 0xff);
    const blue = (other & 0xff) - (colour & 0xff);
    const distance = red * red + green * green + blue * blue;
    if (distance < bestDistance) [best, bestDistance] = [index, distance];
  }
  return best;
}

function chunk(type: string, content: Buffer): Buffer {
  const framed = Buffer.alloc(content.length + 12);
  framed.writeUInt32BE(content.length);
  framed.write(type, 4, 'latin1');
  content.copy(framed, 8);
  framed.writeUInt32BE(crc32(framed.subarray(4, -4)), framed.length - 4);
  return framed;
}

/** Puts a million rows in order within a frame or two: a stable radix sort over the bits of the numbers. Pure. */

const RADIX = 1 << 16;

/** Rows `0…length` in the order of `keys`: the smallest first, or the largest where `falling`; not-a-number always last; ties by row. */
export function sorted(keys: ArrayLike<number>, length: number, falling: boolean): Uint32Array {
  const { low, high } = bitsOf(keys, length, falling);
  let order: Uint32Array = new Uint32Array(length);
  let from: Uint32Array = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  for (const [words, shift] of [[low, 0], [low, 16], [high, 0], [high, 16]] as const) {
    if (constant(words, shift)) continue;
    [order, from] = [pass(words, shift, order, from), order];
  }
  return order;
}

/** The bits of each number such that unsigned comparison orders them. */
function bitsOf(keys: ArrayLike<number>, length: number, falling: boolean): { low: Uint32Array; high: Uint32Array } {
  const numbers = new Float64Array(length);
  for (let i = 0; i < length; i++) numbers[i] = (keys[i] ?? Number.NaN) + 0;
  const words = new Uint32Array(numbers.buffer);
  const low = new Uint32Array(length);
  const high = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    const value = numbers[i] as number;
    if (value !== value) {
      low[i] = high[i] = 0xffffffff;
      continue;
    }
    const top = words[2 * i + 1] as number;
    const flip = top & 0x80000000 ? 0xffffffff : 0;
    const turn = falling ? 0xffffffff : 0;
    low[i] = (words[2 * i] as number) ^ flip ^ turn;
    high[i] = top ^ (flip | 0x80000000) ^ turn;
  }
  return { low, high };
}

function constant(words: Uint32Array, shift: number): boolean {
  const wanted = ((words[0] ?? 0) >>> shift) & 0xffff;
  for (let i = 1; i < words.length; i++) if ((((words[i] as number) >>> shift) & 0xffff) !== wanted) return false;
  return true;
}

function pass(words: Uint32Array, shift: number, order: Uint32Array, into: Uint32Array): Uint32Array {
  const starts = new Uint32Array(RADIX + 1);
  for (let i = 0; i < order.length; i++) (starts[(((words[i] as number) >>> shift) & 0xffff) + 1] as number)++;
  for (let i = 0; i < RADIX; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number;
    const digit = ((words[row] as number) >>> shift) & 0xffff;
    const at = starts[digit] as number;
    starts[digit] = at + 1;
    into[at] = row;
  }
  return into;
}

/** An order with the rows from `order.length` to `length` put in their places: what a live table does ten times a second. */
export function extended(order: Uint32Array, keys: ArrayLike<number>, length: number, falling: boolean): Uint32Array {
  const old = order.length;
  const fresh = sorted(slice(keys, old, length), length - old, falling);
  const out = new Uint32Array(length);
  let [i, j, k] = [0, 0, 0];
  while (k < length) {
    const a = order[i] as number;
    const b = (fresh[j] as number) + old;
    const takeOld = j >= fresh.length || (i < old && !before(keys[b] as number, keys[a] as number, falling));
    out[k++] = takeOld ? a : b;
    if (takeOld) i++;
    else j++;
  }
  return out;
}

function before(a: number, b: number, falling: boolean): boolean {
  if (a !== a) return false;
  if (b !== b) return true;
  return falling ? a > b : a < b;
}

function slice(keys: ArrayLike<number>, from: number, to: number): Float64Array {
  const out = new Float64Array(to - from);
  for (let i = from; i < to; i++) out[i - from] = keys[i] as number;
  return out;
}

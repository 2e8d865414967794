// Writes the indexes of this folder; see README.md.
const usearch = require('usearch');

// Whole numbers of eighths, from a seed.
function rowsOf(count, dim, seed) {
  let state = seed;
  return Array.from({length: count * dim}, () => {
    state = (state * 48271) % 2147483647;
    return (state % 128 - 64) / 8;
  });
}

const label = (i) => BigInt(i) * 1000003n + (1n << 40n);

function write(name, {metric, kind, dim, degree, count, more = 0, remove = 0, again = 0,
                      multi = false}) {
  const index = new usearch.Index(
      {metric, dimensions: dim, quantization: kind, connectivity: degree, multi});
  const rows = rowsOf(count, dim, dim * 1000 + count);
  const add = (i, key) =>
      index.add(key, Float32Array.from(rows.slice(i * dim, (i + 1) * dim), (x) => x + more), 1);
  for (let i = 0; i < count; ++i) add(i, label(i));
  if (remove) for (let i = 0; i < count; i += remove) index.remove(label(i));
  for (let i = 0; i < again; ++i) add(i, label(count + i));
  if (multi) for (let i = 0; i < count; i += 5) add(i, label(count - 1 - i));
  index.save(name + '.usearch');
}

write('cos', {metric: 'cos', kind: 'f32', dim: 5, degree: 4, count: 50});
write('ip', {metric: 'ip', kind: 'f32', dim: 3, degree: 5, count: 40});
write('l2', {metric: 'l2sq', kind: 'f32', dim: 4, degree: 2, count: 40});
write('f16', {metric: 'l2sq', kind: 'f16', dim: 5, degree: 4, count: 20, more: 0.0123});
write('bf16', {metric: 'cos', kind: 'bf16', dim: 5, degree: 4, count: 20, more: 0.0123});
write('f64', {metric: 'l2sq', kind: 'f64', dim: 3, degree: 4, count: 20});
write('i8', {metric: 'cos', kind: 'i8', dim: 6, degree: 4, count: 20});
write('u8', {metric: 'l2sq', kind: 'u8', dim: 6, degree: 4, count: 20});
write('removed', {metric: 'l2sq', kind: 'f32', dim: 2, degree: 3, count: 30, remove: 4});
write('again', {metric: 'l2sq', kind: 'f32', dim: 2, degree: 3, count: 30, remove: 3, again: 6});
write('multi', {metric: 'l2sq', kind: 'f32', dim: 2, degree: 3, count: 20, multi: true});
write('one', {metric: 'l2sq', kind: 'f32', dim: 3, degree: 16, count: 1});
write('empty', {metric: 'l2sq', kind: 'f32', dim: 3, degree: 16, count: 0});
write('b1', {metric: 'hamming', kind: 'b1', dim: 8, degree: 4, count: 3});
write('e5m2', {metric: 'l2sq', kind: 'e5m2', dim: 4, degree: 4, count: 3});
write('pearson', {metric: 'pearson', kind: 'f32', dim: 4, degree: 4, count: 3});

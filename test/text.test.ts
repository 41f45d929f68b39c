import fc from 'fast-check';
import { DEPTH_MAX, depthOf, textFault } from '../src/text';

describe('text that no store can keep is found, wherever it stands', () => {
  test.each([
    ['a NUL in the document itself', 'a\u0000b', '', 'holds a NUL character'],
    ['a NUL deep inside', { a: [{ b: 'x' }, { b: '\u0000' }] }, 'a.1.b', 'holds a NUL character'],
    ['a high surrogate alone', { a: 'x\ud83d' }, 'a', 'holds a lone surrogate'],
    ['a low surrogate alone', ['\ude00x'], '0', 'holds a lone surrogate'],
    ['surrogates the wrong way round', { a: '\ude00\ud83d' }, 'a', 'holds a lone surrogate'],
    ['a NUL in the name of a member', { a: { 'b\u0000': 1 } }, 'a', 'a member name holds a NUL character'],
  ])('%s', (_what, value, path, message) => {
    expect(textFault(value)).toEqual({ path, message });
  });

  test('anything that JSON and UTF-8 can say is left alone', () => {
    expect(textFault({ face: '😀', tab: '\t', line: '\u2028', last: '\u{10ffff}', numbers: [1, null, true] })).toBeUndefined();
    const kept = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\u0000'));
    fc.assert(fc.property(fc.dictionary(kept, fc.array(kept)), (value) => textFault(value) === undefined));
  });

  test('what it lets through comes back from UTF-8 as it was, and what it stops does not', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }), (text) => {
        const survives = Buffer.from(text, 'utf8').toString('utf8') === text && !text.includes('\u0000');
        expect(textFault(text) === undefined).toBe(survives);
      }),
    );
  });
});

describe('depth is counted in levels of arrays and objects', () => {
  test.each([
    [0, 'text'], [0, null], [1, []], [1, { a: 1 }], [2, [[]]], [3, { a: [{}], b: 1 }],
  ])('%i for %j', (depth, value) => expect(depthOf(value)).toBe(depth));

  test('far beyond what a stack would bear', () => {
    const levels = 100_000;
    expect(depthOf(JSON.parse('['.repeat(levels) + ']'.repeat(levels)))).toBe(levels);
    expect(DEPTH_MAX).toBe(32);
  });
});

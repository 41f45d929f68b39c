import { gzipSync } from 'node:zlib';
import { created } from './ingress';

/** One way in which a record can be wrong, and the code that its dead letter has to bear. */
export interface Poison {
  readonly kind: string;
  readonly code: string;
  readonly value: Buffer | null;
}

const TASK = '3f0c8a4e-6d43-4d5e-9f57-2b1c9d8e7f60';
const GOOD = created(TASK).toString();
const MIB = 1_048_576;

const raw = (kind: string, code: string, value: Buffer | string | null): Poison => ({ kind, code, value: typeof value === 'string' ? Buffer.from(value) : value });
const undecodable = (kind: string, value: Buffer | string): Poison => raw(kind, 'FZ_RECORD_UNDECODABLE', value);
const misfit = (kind: string, more: object): Poison => raw(kind, 'FZ_SCHEMA_INVALID', created(TASK, more));

/** What no field of any type takes. */
const WRONG_VALUES: Readonly<Record<string, unknown>> = {
  missing: undefined, null: null, true: true, false: false, 'a list': [], 'a list of one': ['x'], 'an object': { a: 1 },
};
const WRONG_TEXTS: Readonly<Record<string, unknown>> = { ...WRONG_VALUES, 'a number': 7, 'a negative number': -1, 'a fraction': 0.5, empty: '', 'too long': 'x'.repeat(256) };
const NO_UUIDS: Readonly<Record<string, unknown>> = {
  ...WRONG_TEXTS, 'a word': 'no-uuid', 'a digit short': TASK.slice(0, -1), 'a digit long': `${TASK}0`, 'without dashes': TASK.replaceAll('-', ''), braced: `{${TASK}}`,
  'padded by a space': `${TASK} `, 'an urn': `urn:uuid:${TASK}`, 'not hexadecimal': `g${TASK.slice(1)}`,
};
const NO_INSTANTS: Readonly<Record<string, unknown>> = {
  ...WRONG_VALUES, 'a text of digits': '1700000000123', 'an ISO instant': '2026-01-01T00:00:00Z', 'a fraction': 1.5, 'before 1970': -1, 'after 9999': 253_402_300_800_000,
  'beyond all numbers': 1e300, empty: '',
};
const NO_PRIORITIES: Readonly<Record<string, unknown>> = { ...WRONG_TEXTS, unknown: 'urgent', 'in capitals': 'HIGH', 'padded by a space': 'high ', 'two of them': 'low,high' };
const NO_VARIABLES: Readonly<Record<string, unknown>> = {
  'a text': 'x', 'a number': 7, true: true, 'a list': [], 'an empty name': { '': 1 }, 'too long a name': { ['n'.repeat(256)]: 1 },
  'too many': Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`v${index}`, index])),
};
const FIELDS: readonly (readonly [field: string, wrong: Readonly<Record<string, unknown>>])[] = [
  ['eventId', WRONG_TEXTS], ['taskId', NO_UUIDS], ['templateId', NO_UUIDS], ['priority', NO_PRIORITIES], ['modelType', WRONG_TEXTS],
  ['timestamp', NO_INSTANTS], ['userId', WRONG_TEXTS], ['variables', NO_VARIABLES],
];

/** Texts that some store would choke on, wherever they stand. */
const UNSTORABLE: Readonly<Record<string, string>> = { 'a NUL': 'a\u0000b', 'a NUL alone': '\u0000', 'a high surrogate alone': 'a\ud800', 'a low surrogate alone': '\udc00b', 'surrogates exchanged': '\udc00\ud800' };

const nested = (depth: number): Buffer => created(TASK, { variables: { deep: JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`) as object } });
const utf16 = (text: string, bigEndian: boolean): Buffer => (bigEndian ? Buffer.from(text, 'utf16le').swap16() : Buffer.from(text, 'utf16le'));
/** The text with bytes in the place of the user's name. */
const spliced = (bytes: readonly number[]): Buffer => Buffer.concat([Buffer.from(GOOD.slice(0, GOOD.indexOf('partner'))), Buffer.from(bytes), Buffer.from(GOOD.slice(GOOD.indexOf('partner') + 7))]);

const BYTES: readonly Poison[] = [
  raw('no value', 'FZ_RECORD_EMPTY', null), raw('an empty value', 'FZ_RECORD_EMPTY', ''),
  raw('a byte over 1 MiB', 'FZ_RECORD_TOO_LARGE', Buffer.alloc(MIB + 1, ' ')),
  raw('a good task with a name of 1 MiB', 'FZ_RECORD_TOO_LARGE', created(TASK, { userId: 'x'.repeat(MIB) })),
  ...[' ', '\n', '\t\r\n ', '\u00a0', '\ufeff'].map((text, at) => undecodable(`blank ${at}`, text)),
  ...Array.from({ length: 24 }, (_, at) => undecodable(`cut after ${Math.ceil(((at + 1) * (GOOD.length - 1)) / 24)} bytes`, GOOD.slice(0, Math.ceil(((at + 1) * (GOOD.length - 1)) / 24)))),
  ...Object.entries({
    'a comma at the end': GOOD.replace(/}$/, ',}'), 'a comma too many': GOOD.replace(',', ',,'), 'a colon too few': GOOD.replace(':', ' '), 'two documents': GOOD + GOOD,
    'two lines': `${GOOD}\n${GOOD}`, 'text behind it': `${GOOD}x`, 'text before it': `x${GOOD}`, 'a comment': `/* task */${GOOD}`, 'a line comment': `// task\n${GOOD}`,
    'single quotes': GOOD.replaceAll('"', "'"), 'names without quotes': GOOD.replaceAll(/"(\w+)":/g, '$1:'), 'JSON with a prefix': `)]}',\n${GOOD}`, 'JSONP': `callback(${GOOD});`,
    'NaN': GOOD.replace('1700000000123', 'NaN'), 'Infinity': GOOD.replace('1700000000123', 'Infinity'), 'a hexadecimal number': GOOD.replace('1700000000123', '0x7b'),
    'a leading zero': GOOD.replace('1700000000123', '01700000000123'), 'a plus sign': GOOD.replace('1700000000123', '+1'), 'a number that ends in a dot': GOOD.replace('1700000000123', '17.'),
    'a number that begins with a dot': GOOD.replace('1700000000123', '.5'), 'an exponent without digits': GOOD.replace('1700000000123', '1e'), 'digits with gaps': GOOD.replace('1700000000123', '1_700'),
    'undefined': GOOD.replace('1700000000123', 'undefined'), 'True': GOOD.replace('1700000000123', 'True'), 'a line break in a text': GOOD.replace('partner', 'part\nner'),
    'a tab in a text': GOOD.replace('partner', 'part\tner'), 'a raw NUL in a text': GOOD.replace('partner', 'part\u0000ner'), 'an unknown escape': GOOD.replace('partner', 'part\\xner'),
    'half an escape': GOOD.replace('partner', 'part\\u12'), 'a text that never ends': GOOD.replace('partner"', 'partner'), 'a bracket for a brace': GOOD.replace(/}$/, ']'), 'one brace too many': `${GOOD}}`,
    'only a brace': '{', 'only a quote': '"', 'a lone minus': '-', 'the word undefined': 'undefined', 'the word null in capitals': 'NULL', 'base64': Buffer.from(GOOD).toString('base64'),
    'percent-encoded': encodeURIComponent(GOOD), 'a form': 'taskId=1&userId=me', 'CSV': 'eventId,taskId\n1,2', 'XML': '<task id="1"/>', 'YAML': 'taskId: 1\nuserId: me', 'a log line': '2026-01-01 INFO task created',
    'HTML of a proxy': '<html><body>502 Bad Gateway</body></html>', 'a Java object': 'TaskCreated{taskId=1}', 'a Python dict': "{'taskId': None}",
  }).map(([kind, text]) => undecodable(kind, text)),
  undecodable('a byte order mark before it', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf]), Buffer.from(GOOD)])),
  undecodable('UTF-16, little end first', utf16(GOOD, false)), undecodable('UTF-16, big end first', utf16(GOOD, true)),
  undecodable('UTF-16 with its mark', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16(GOOD, false)])),
  undecodable('gzip', gzipSync(GOOD)), undecodable('a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])), undecodable('MessagePack', Buffer.from([0x81, 0xa1, 0x61, 0x01])),
  undecodable('a Java stream', Buffer.from([0xac, 0xed, 0x00, 0x05, 0x73, 0x72])), undecodable('CBOR', Buffer.from([0xa1, 0x61, 0x61, 0x01])),
  ...Object.entries({
    'Latin-1': [0x6f, 0x6c, 0xe1], 'a continuation alone': [0x80], 'a sequence cut short': [0xe2, 0x82], 'an overlong slash': [0xc0, 0xaf], 'an overlong NUL': [0xc0, 0x80],
    'a surrogate in bytes': [0xed, 0xa0, 0x80], 'beyond Unicode': [0xf5, 0x80, 0x80, 0x80], 'a byte that never is': [0xff], 'five bytes for one': [0xf8, 0x88, 0x80, 0x80, 0x80],
  }).map(([kind, bytes]) => undecodable(`no UTF-8: ${kind}`, spliced(bytes))),
  ...Object.entries({
    'nothing behind the magic byte': [0], 'cut within the id': [0, 0, 0], 'nothing behind the id': [0, 0, 0, 0, 1], 'an id that nobody knows': [0, 0x7f, 0xff, 0xff, 0xfe, 1, 2, 3], 'a negative id': [0, 0xff, 0xff, 0xff, 0xff, 2],
    'the id zero': [0, 0, 0, 0, 0, 2, 0x61],
  }).map(([kind, bytes]) => undecodable(`no Avro: ${kind}`, Buffer.from(bytes))),
  ...['null', 'true', 'false', '0', '-1', '1e3', '""', '"text"', JSON.stringify(GOOD), '[]', '[[]]', '{}', `[${GOOD}]`, `{"task":${GOOD}}`].map((text) => raw(`JSON, but ${text.slice(0, 24)}`, 'FZ_SCHEMA_INVALID', text)),
  raw('names in capitals', 'FZ_SCHEMA_INVALID', GOOD.replaceAll(/"(\w+)":/g, (_all, name: string) => `"${name.toUpperCase()}":`)),
  raw('names with underscores', 'FZ_SCHEMA_INVALID', GOOD.replaceAll(/"(\w+)":/g, (_all, name: string) => `"${name.replace(/[A-Z]/g, (one) => `_${one.toLowerCase()}`)}":`)),
  raw('a field twice, the last one wrong', 'FZ_SCHEMA_INVALID', GOOD.replace(/}$/, ',"userId":null}')),
  ...[33, 40, 1_000].map((depth) => raw(`nested ${depth} deep`, 'FZ_BODY_TOO_DEEP', nested(depth))),
  raw('nested deeper than any stack', 'FZ_BODY_TOO_DEEP', '['.repeat(500_000) + ']'.repeat(500_000)),
];

/** Kinds of records that `task.created` can never take; no two have the same bytes. */
export const POISON_KINDS: readonly Poison[] = [
  ...BYTES,
  ...FIELDS.flatMap(([field, wrong]) => Object.entries(wrong).map(([kind, value]) => misfit(`${field}: ${kind}`, { [field]: value }))),
  ...Object.entries(UNSTORABLE).flatMap(([kind, text]) => [
    raw(`${kind} in userId`, 'FZ_TEXT_UNSTORABLE', created(TASK, { userId: text })),
    raw(`${kind} in a variable`, 'FZ_TEXT_UNSTORABLE', created(TASK, { variables: { product: { of: [text] } } })),
    raw(`${kind} in a variable's name`, 'FZ_TEXT_UNSTORABLE', created(TASK, { variables: { [text]: 1 } })),
  ]),
];

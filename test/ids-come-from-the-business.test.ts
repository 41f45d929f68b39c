import fc from 'fast-check';
import { v5 } from 'uuid';
import { commandId, factId, FAZENDA_NAMESPACE, laneWorkflowId, windowId } from '../src/facts/identity';

/** Ids are the UUIDv5 that any other library makes of the same name, so that a partner can reckon them too. */

const name = fc.oneof(fc.uuid(), fc.string({ unit: 'binary' }), fc.string({ maxLength: 300 }));

test('an id is the UUIDv5 of its name', () => {
  fc.assert(fc.property(name, name, fc.integer({ min: 1 }), (domain, id, version) => {
    expect(factId(domain, id, version)).toBe(v5(`${domain}/${id}/${version}`, FAZENDA_NAMESPACE));
    expect(commandId(domain, id, 'cancel')).toBe(v5(`${domain}/${id}/cancel`, FAZENDA_NAMESPACE));
    expect(windowId(domain, id, version)).toBe(v5(`windows/${domain}/${id}/${version}`, FAZENDA_NAMESPACE));
  }), { numRuns: 300 });
});

test('a lane is named after who is aboard, in whatever order they came', () => {
  expect(laneWorkflowId('order', ['b', 'a'])).toBe(laneWorkflowId('order', ['a', 'b']));
  expect(laneWorkflowId('order', ['a', 'b'])).not.toBe(laneWorkflowId('order', ['a', 'c']));
});

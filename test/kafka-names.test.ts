import { readConfig } from '../src/config';
import { clusterName, contractName } from '../src/kafka/client';
import { topicNames } from '../src/kafka/topics';

/** An installation may put a prefix before every name, and name what its contracts let it name: that is used exactly. */

const NAMED = { KAFKA_TOPIC_ORDER_CREATED: 'pedidos', KAFKA_GROUP_ID: 'meus-pedidos' };

test('what nobody named is called as in the contracts, behind the prefix', () => {
  const config = readConfig({ KAFKA_TOPIC_PREFIX: 'a.' });
  for (const name of ['order_created', 'order-service-group', 'order_created.dlq']) expect(clusterName(config, name)).toBe(`a.${name}`);
});

test.each(['', 'a.'])('a name that was chosen has no prefix, and its dead letters go by it; prefix %j', (prefix) => {
  const config = readConfig({ ...NAMED, KAFKA_TOPIC_PREFIX: prefix });
  expect(['order_created', 'order_created.dlq', 'order-service-group'].map((name) => clusterName(config, name))).toEqual(['pedidos', 'pedidos.dlq', 'meus-pedidos']);
  expect(['orders.create', 'orders.created', 'payments-service-group'].map((name) => clusterName(config, name))).toEqual([
    `${prefix}orders.create`, `${prefix}orders.created`, `${prefix}payments-service-group`,
  ]);
});

test('every topic is found again by its name in the cluster, and no two have the same', () => {
  for (const env of [{}, NAMED, { ...NAMED, KAFKA_TOPIC_PREFIX: 'a.' }]) {
    const config = readConfig(env);
    const { topics, deadLetters } = topicNames();
    const names = [...topics, ...deadLetters];
    expect(names.map((name) => contractName(config, clusterName(config, name)))).toEqual(names);
    expect(new Set(names.map((name) => clusterName(config, name))).size).toBe(names.length);
  }
});

test.each([
  ['KAFKA_TOPIC_ORDER_CREATED', 'orders.created'], ['KAFKA_TOPIC_ORDER_CREATED', 'task.created'], ['KAFKA_TOPIC_ORDER_CREATED', 'a b'], ['KAFKA_TOPIC_ORDER_CREATED', '..'],
  ['KAFKA_GROUP_ID', 'payments-service-group'], ['KAFKA_GROUP_ID', 'a/b'],
])('%s=%s is a fault of the configuration', (setting, name) => {
  expect(() => readConfig({ [setting]: name })).toThrow(expect.objectContaining({ code: 'FZ_CONFIG_INVALID', message: expect.stringContaining(setting) as string }));
});
